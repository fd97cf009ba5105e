import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { itemId } from './payload.ts';
import type { Fate } from './run-load.ts';
import { Journal, untilStored, verify } from './verify.ts';

let server: Server | undefined;

afterEach(() => {
  server?.closeAllConnections();
  server?.close();
});

type Row = readonly [number: number, count: number, tenant: string];

/** Answers both questions of the checker as ClickHouse would that stores these rows as spans. */
function clickhouse(rows: readonly Row[]): Promise<{ url: string; database: string }> {
  const made = createServer(async (request, response) => {
    let sql = '';
    for await (const chunk of request) sql += String(chunk);
    const spans = sql.includes(' otel_traces ') ? rows : [];
    if (sql.includes('GROUP BY')) {
      response.end(
        spans.map(([number, count, tenant]) => `${itemId('run', 0, number)}\t${count}\t${tenant}\n`).join(''),
      );
    } else response.end(`${spans.length}\n`);
  });
  server = made;
  return new Promise((resolve) => {
    made.listen(0, '127.0.0.1', () =>
      resolve({ url: `http://127.0.0.1:${(made.address() as AddressInfo).port}`, database: 'weir' }),
    );
  });
}

function journal(...kinds: Fate['sent']['kind'][]): Journal {
  const made = new Journal();
  for (const [number, kind] of kinds.entries()) {
    const sent = kind === 'accepted' ? { kind } : { kind, reason: 'test' };
    made.add({ producer: 0, tenant: 'a', signal: 'traces', first: number * 2, items: 2, sent });
  }
  return made;
}

const stored = (...rows: Row[]) => clickhouse(rows);
const CLEAN = { lost: 0, doubled: 0, alien: 0, misplaced: 0, examples: [] };

test('all is well where every accepted item is stored once under its tenant; refused and unknown ones may be, or not', async () => {
  const found = await stored([0, 1, 'a'], [1, 1, 'a'], [2, 1, 'a'], [4, 1, 'a']);
  expect(await verify(found, 'run', journal('accepted', 'unknown', 'refused'), 1_000)).toEqual({
    stored: 4,
    distinct: 4,
    ...CLEAN,
  });
});

test('an accepted item that is not stored is lost, after the time it may take', async () => {
  const verdict = await verify(await stored([0, 1, 'a']), 'run', journal('accepted'), 300);
  expect(verdict).toMatchObject({ ...CLEAN, lost: 1, examples: [`lost ${itemId('run', 0, 1)}`] });
});

test('an item stored twice is doubled, an unknown one too', async () => {
  const found = await stored([0, 1, 'a'], [1, 2, 'a'], [2, 2, 'a']);
  const verdict = await verify(found, 'run', journal('accepted', 'unknown'), 300);
  expect(verdict).toMatchObject({ lost: 0, doubled: 2, alien: 0, misplaced: 0, stored: 5 });
});

test('a row that was never sent is alien', async () => {
  const found = await stored([0, 1, 'a'], [1, 1, 'a'], [9, 1, 'a']);
  expect(await verify(found, 'run', journal('accepted'), 300)).toMatchObject({ ...CLEAN, alien: 1 });
});

test('an item under another tenant, or under several, is misplaced', async () => {
  const found = await stored([0, 1, 'b'], [1, 1, 'several']);
  const verdict = await verify(found, 'run', journal('accepted'), 300);
  expect(verdict).toMatchObject({ lost: 0, doubled: 0, alien: 0, misplaced: 2 });
});

test('what is stored of the unknown ones does not make up for an accepted item that is missing', async () => {
  const known = journal('accepted', 'unknown');
  const some = await stored([0, 1, 'a'], [2, 1, 'a'], [3, 1, 'a']);
  expect(await untilStored(some, 'run', known, 300)).toBeUndefined();
  server?.close();
  const all = await stored([0, 1, 'a'], [1, 1, 'a'], [2, 1, 'a']);
  expect(await untilStored(all, 'run', known, 300)).toBeLessThanOrEqual(performance.now());
});
