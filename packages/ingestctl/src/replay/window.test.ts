import { expect, test } from 'vitest';
import { checkPartitions, readWindow as readAt } from './window.ts';

const NOON_NS = BigInt(Date.UTC(2026, 0, 31, 12)) * 1_000_000n;
const readWindow = (from: string, to: string) => readAt(from, to, NOON_NS);

test('ends are offsets or times of receipt, to the nanosecond, in any zone or so long ago', () => {
  expect(readWindow('12', '2026-01-31T12:00:00Z')).toEqual({
    from: { kind: 'offset', offset: 12 },
    to: { kind: 'time', atNs: NOON_NS },
  });
  expect(readWindow('2026-01-31T12:00Z', '2026-01-31T14:00:00.123456789+02:00')).toEqual({
    from: { kind: 'time', atNs: NOON_NS },
    to: { kind: 'time', atNs: NOON_NS + 123_456_789n },
  });
  expect(readWindow('10s', '0s')).toEqual({
    from: { kind: 'time', atNs: NOON_NS - 10_000_000_000n },
    to: { kind: 'time', atNs: NOON_NS },
  });
});

test.each([
  ['1', '0', '--from is after --to'],
  ['2026-01-31T12:00:01Z', '2026-01-31T12:00:00Z', '--from is after --to'],
  ['1m', '2m', '--from is after --to'],
  ['2026-01-31T12:00:00', '5', '--from, where it is no offset, must be a time'],
  ['1', 'now', '--to, where it is no offset, must be a time'],
  ['-1', '5', '--from, where it is no offset, must be a time'],
  ['2026-02-31T25:00:00Z', '5', '--from, where it is no offset, must be a time'],
])('a window from %s to %s is wrong usage', (from, to, why) => {
  expect(() => readWindow(from, to)).toThrow(why);
});

test('an offset is not taken for that of several partitions', () => {
  const bare = readWindow('1', '2');
  expect(() => checkPartitions(bare, [0, 1])).toThrow('name one with --partition');
  expect(() => checkPartitions(readWindow('1', '2026-01-31T12:00:00Z'), [0, 1])).toThrow('name one with --partition');
  checkPartitions(bare, [3]);
  checkPartitions(readWindow('2026-01-31T12:00:00Z', '2026-01-31T12:00:00Z'), [0, 1, 2]);
});
