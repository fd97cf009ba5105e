import { expect, test } from 'vitest';
import { compareExports } from './stored-exports.ts';

const row = (producer: number, number: number, rows: number, ids = rows) => ({
  producer,
  number,
  rows: String(rows),
  ids: String(ids),
});

test('all is well where accepted exports are whole, and others are there or not', () => {
  expect(compareExports(['aar', 'u'], 10, [row(0, 0, 10), row(0, 1, 10), row(1, 0, 10)])).toEqual({
    lost: 0,
    doubled: 0,
  });
});

test('an accepted export that is missing, or lacks items, is lost, whatever else is stored', () => {
  expect(compareExports(['aa'], 10, [row(0, 0, 7)])).toEqual({ lost: 13, doubled: 0 });
  expect(compareExports(['ar'], 10, [row(0, 1, 10)])).toEqual({ lost: 10, doubled: 0 });
});

test('items that are there twice are doubled, and so is what was never sent', () => {
  expect(compareExports(['a'], 10, [row(0, 0, 13, 10)])).toEqual({ lost: 0, doubled: 3 });
  expect(compareExports(['a'], 10, [row(0, 0, 10), row(0, 1, 10), row(5, 0, 1)])).toEqual({ lost: 0, doubled: 11 });
});
