import { expect, test } from 'vitest';
import { KeptCapacity } from './capacity.ts';

function afterAll(kept: KeptCapacity, capacity: number, used: readonly number[]): number {
  return used.reduce((now, each) => kept.after(now, each), capacity);
}

test('memory that was used stays', () => {
  expect(afterAll(new KeptCapacity(1024), 4096, new Array(100).fill(1024))).toBe(4096);
});

test('memory that varies from block to block stays', () => {
  const used = Array.from({ length: 100 }, (_, at) => (at % 15 === 0 ? 4000 : 0));
  expect(afterAll(new KeptCapacity(1024), 4096, used)).toBe(4096);
});

test('very much of it is given back by every block that needs little', () => {
  expect(afterAll(new KeptCapacity(1024), 2 ** 26, [1000, 1000, 1000])).toBe(2 ** 23);
  expect(afterAll(new KeptCapacity(1024), 2 ** 26, [2 ** 22, 2 ** 22, 2 ** 22])).toBe(2 ** 26);
});

test('memory that one large block needed is given back step by step, down to the least', () => {
  const kept = new KeptCapacity(1024);
  expect(afterAll(kept, 4096, new Array(15).fill(1000))).toBe(4096);
  expect(afterAll(kept, 4096, [1000])).toBe(2048);
  expect(afterAll(kept, 2048, new Array(16).fill(0))).toBe(1024);
  expect(afterAll(kept, 1024, new Array(100).fill(0))).toBe(1024);
});
