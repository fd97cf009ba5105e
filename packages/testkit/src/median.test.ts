import { expect, test } from 'vitest';
import { median } from './median.ts';

test('the median is the middle, or between the two in the middle, whatever the order', () => {
  expect(median([10, 2, 9])).toBe(9);
  expect(median([10, 2, 9, 100])).toBe(9.5);
  expect(median([7])).toBe(7);
  expect(() => median([])).toThrow('no values');
});
