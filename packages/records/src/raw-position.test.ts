import fc from 'fast-check';
import { expect, test } from 'vitest';
import { rawPosition, readRawPosition } from './raw-position.ts';

const source = fc.record({
  track: fc.integer({ min: 1, max: 999 }).map((number) => `v${number}`),
  partition: fc.integer({ min: 0, max: 4095 }),
  offset: fc.integer({ min: 0, max: 2 ** 42 - 1 }),
});

test('a position says its track, partition and offset, fits 64 bits and is never 0', () => {
  fc.assert(
    fc.property(source, ({ track, partition, offset }) => {
      const position = rawPosition(track, partition, offset);
      expect(readRawPosition(position)).toEqual({ track, partition, offset });
      expect(position > 0n && position < 1n << 64n).toBe(true);
    }),
  );
  expect(readRawPosition(0n)).toBeUndefined();
});

test('the positions of a partition are in the order of its offsets, and apart from those of all others', () => {
  expect(rawPosition('v1', 3, 8) - rawPosition('v1', 3, 7)).toBe(1n);
  expect(rawPosition('v1', 3, 2 ** 42 - 1)).toBeLessThan(rawPosition('v1', 4, 0));
  expect(rawPosition('v1', 4095, 2 ** 42 - 1)).toBeLessThan(rawPosition('v2', 0, 0));
  expect(() => rawPosition('v1', 4096, 0)).toThrow('out of bounds');
  expect(() => rawPosition('v1', 0, 2 ** 42)).toThrow('out of bounds');
});
