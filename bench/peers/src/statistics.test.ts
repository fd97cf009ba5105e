import { expect, test } from 'vitest';
import { spreadOf } from './statistics.ts';

test('a spread has the least and the most', () => {
  expect(spreadOf([3, 1, 20, 2])).toEqual({ median: 2.5, min: 1, max: 20, count: 4 });
});
