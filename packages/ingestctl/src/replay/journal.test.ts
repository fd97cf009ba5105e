import { bootstrapStatements, type ClickHouse, MIGRATIONS } from '@weir/clickhouse';
import { Engine } from '@weir/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ReplayJournal } from './journal.ts';

const TARGET = { database: 'weir' };
const { signal } = new AbortController();
let engine: Engine;

beforeAll(async () => {
  engine = await Engine.open();
  for (const sql of bootstrapStatements(TARGET)) engine.execute(sql);
  for (const { statements } of MIGRATIONS) for (const sql of statements(TARGET)) engine.execute(sql);
});

afterAll(() => engine.close());

test("a batch's line may hold the marks of any number of edges", async () => {
  const clickhouse = { command: async (sql: string) => engine.execute(sql) } as unknown as ClickHouse;
  const marks = Array.from({ length: 10_000 }, (_, number) => ({
    edge: number.toString(16).padStart(16, '0'),
    seq: 2 ** 40 + number,
    seenMs: 1_795_000_000_000 + number,
  }));
  const tally = { rows: { otel_logs: 5 }, dead: {}, repeated: 0 };
  const batch = { partition: 1, first: 5, last: 9, tally, marks };
  await new ReplayJournal(clickhouse, 'weir').batch('20261121_101500_3fa9', batch, signal);
  const [line] = engine.select<{ Detail: string; Last: string }>('SELECT * FROM weir.weir_replays');
  expect(JSON.parse(line!.Detail)).toEqual({ tally, marks });
  expect(Number(line!.Last)).toBe(9);
});
