import { expect, test } from 'vitest';
import { median, spreadOf } from './statistics.ts';

test('the median is the middle, or between the two in the middle, whatever the order', () => {
  expect(median([10, 2, 9])).toBe(9);
  expect(median([10, 2, 9, 100])).toBe(9.5);
  expect(median([7])).toBe(7);
  expect(() => median([])).toThrow('no values');
});

test('a spread has the least and the most', () => {
  expect(spreadOf([3, 1, 20, 2])).toEqual({ median: 2.5, min: 1, max: 20, count: 4 });
});
