import { expect, test } from 'vitest';
import { createPool } from './export-pool.ts';
import { countIds, judgeCopies } from './topic.ts';

test.each(['traces', 'logs', 'metrics'] as const)('every item of a pool of %s is found once by its id', (signal) => {
  const pool = createPool(signal, 'ab12cd34', 250, 100);
  expect(pool.map(({ first, items }) => [first, items])).toEqual([
    [0, 100],
    [100, 100],
    [200, 50],
  ]);
  const copies = new Uint8Array(250);
  for (const { body } of pool) countIds(body, 'ab12cd34', copies);
  expect([...copies]).toEqual(Array.from({ length: 250 }, () => 1));
  countIds(pool[1]!.body, 'ffffffff', copies);
  countIds(pool[2]!.body, 'ab12cd34', copies);
  expect([copies.length, copies.reduce((sum, count) => sum + count, 0)]).toEqual([250, 300]);
});

test('lost is what was accepted and is not there, doubled what is there once more', () => {
  const copies = Uint8Array.from([1, 1, 0, 3, 0, 0, 1, 2]);
  expect(judgeCopies(copies, [{ first: 4, items: 3, reason: 'ECONNRESET' }])).toEqual({
    rows: 8,
    distinct: 5,
    lost: 1,
    doubled: 3,
  });
});
