import { expect, test } from 'vitest';
import { readTime, timeText } from './times.ts';

const NOON_NS = BigInt(Date.UTC(2026, 0, 31, 12)) * 1_000_000n;

test.each([
  ['2026-01-31T12:00:00Z', NOON_NS],
  ['2026-01-31T12:00Z', NOON_NS],
  ['2026-01-31T14:00:00.123456789+02:00', NOON_NS + 123_456_789n],
  ['2026-01-30T23:30:00.5-12:30', NOON_NS + 500_000_000n],
  ['0s', NOON_NS + 5n],
  ['30m', NOON_NS + 5n - 1_800_000_000_000n],
  ['2h', NOON_NS + 5n - 7_200_000_000_000n],
  ['7d', NOON_NS + 5n - 604_800_000_000_000n],
])('%s is a time', (text, ns) => {
  expect(readTime('--from', text, NOON_NS + 5n)).toBe(ns);
});

test.each([
  '2026-01-31T12:00:00',
  '2026-01-31',
  '2026-02-30T12:00:00Z',
  '2026-01-31T25:00:00Z',
  'now',
  'yesterday',
  '2h ago',
  '-5m',
  '1w',
  '',
])('%j is no time, and the message has both forms', (text) => {
  expect(() => readTime('--to', text, NOON_NS)).toThrow(/^--to must be a time with its zone, such as .*, or 30m/);
});

test('times are shown to the microsecond, those of no calendar as they are', () => {
  expect(timeText(NOON_NS + 123_456_789n)).toBe('2026-01-31T12:00:00.123456Z');
  expect(timeText(2n ** 64n - 1n)).toBe('2554-07-21T23:34:33.709551Z');
  expect(timeText(10n ** 30n)).toBe(String(10n ** 30n));
  expect(timeText(-1n)).toBe('-1');
});
