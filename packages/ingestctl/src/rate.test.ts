import { expect, test } from 'vitest';
import { readRate } from './rate.ts';

test('a rate is items a second, or max', () => {
  expect(['1', '50000', '1e7', 'max'].map(readRate)).toEqual([1, 50_000, 10_000_000, Number.POSITIVE_INFINITY]);
});

test.each(['0', '-1', '0.4', 'fast', '4MiB', '20000000', 'Infinity', 'NaN', ''])('%j is no rate', (text) => {
  expect(() => readRate(text)).toThrow('--rate must be items a second, from 1 to 10000000, or max');
});
