import { expect, test } from 'vitest';
import { keptCapacity } from './capacity.ts';

test('memory that was used stays', () => {
  expect(keptCapacity(4096, 1024, 1024)).toBe(4096);
});

test('memory that one large block needed is given back step by step, down to the least', () => {
  expect(keptCapacity(4096, 1000, 1024)).toBe(2048);
  expect(keptCapacity(2048, 0, 1024)).toBe(1024);
  expect(keptCapacity(1024, 0, 1024)).toBe(1024);
});
