import { expect, test } from 'vitest';
import { settingsChange } from './topic-settings.ts';

const SET = 1;
const DEFAULT = 5;
const WANTED = { 'retention.ms': '1000', 'max.message.bytes': '10' };
const has = (values: Record<string, string | null>, configSource = SET) =>
  Object.entries(values).map(([configName, configValue]) => ({ configName, configValue, configSource }));
const sorted = (entries: readonly { name: string; value: string }[] | undefined) =>
  entries && Object.fromEntries(entries.map(({ name, value }) => [name, value]));

test('a topic that has its settings, by whatever way, is not written', () => {
  expect(settingsChange(has(WANTED), WANTED, false)).toEqual({ isKeptLonger: false });
  expect(settingsChange(has(WANTED, DEFAULT), WANTED, false)).toEqual({ isKeptLonger: false });
});

test('what was set by hand for the topic is written again, what is a default is not', () => {
  const described = [
    ...has({ 'retention.ms': '1000', 'max.message.bytes': '5', 'retention.bytes': '77', secret: null }),
    ...has({ 'segment.bytes': '99' }, DEFAULT),
  ];
  const { entries, isKeptLonger } = settingsChange(described, WANTED, false);
  expect(sorted(entries)).toEqual({ ...WANTED, 'retention.bytes': '77' });
  expect(isKeptLonger).toBe(false);
});

test.each(['1001', '-1'])('a retention of %s is longer, and stays', (value) => {
  expect(settingsChange(has({ ...WANTED, 'retention.ms': value }), WANTED, false)).toEqual({ isKeptLonger: true });
  const { entries, isKeptLonger } = settingsChange(
    has({ 'retention.ms': value, 'max.message.bytes': '5' }),
    WANTED,
    false,
  );
  expect(sorted(entries)).toEqual({ ...WANTED, 'retention.ms': value });
  expect(isKeptLonger).toBe(true);
});

test('a retention of bytes that is greater stays as well, one by default without being written', () => {
  const wanted = { 'retention.bytes': '100', 'max.message.bytes': '10' };
  const { entries, isKeptLonger } = settingsChange(has({ 'retention.bytes': '-1' }, DEFAULT), wanted, false);
  expect([sorted(entries), isKeptLonger]).toEqual([{ 'max.message.bytes': '10' }, true]);
});

test('a shorter retention is lengthened, and where it is said a longer one is shortened', () => {
  const shorter = settingsChange(has({ ...WANTED, 'retention.ms': '999' }), WANTED, false);
  expect([sorted(shorter.entries), shorter.isKeptLonger]).toEqual([WANTED, false]);
  const longer = settingsChange(has({ ...WANTED, 'retention.ms': '-1' }), WANTED, true);
  expect([sorted(longer.entries), longer.isKeptLonger]).toEqual([WANTED, false]);
  const unbounded = settingsChange(has(WANTED), { ...WANTED, 'retention.ms': '-1' }, false);
  expect(sorted(unbounded.entries)).toEqual({ ...WANTED, 'retention.ms': '-1' });
});
