import { bootstrapStatements, MIGRATIONS } from '@weir/clickhouse';
import { rawPosition } from '@weir/records';
import { Engine } from '@weir/testkit';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import type { DoneBatch } from '../replay/journal.ts';
import type { ReplayPlan } from '../replay/plan.ts';
import { chunksOf, Difference, piecesOf } from './difference.ts';

const TARGET = { database: 'weir' };
const PLAN: ReplayPlan = {
  id: 'x',
  track: 'v1',
  filter: { tenants: [], signals: [] },
  partitions: [],
  tables: ['otel_logs'],
  days: ['2026-11-20', '2026-11-21'],
};
const CHUNK = { partition: 2, first: 10, last: 19 };
const difference = new Difference(TARGET, PLAN, 'otel_logs');
let engine: Engine;
let puts = 0;

beforeAll(async () => {
  engine = await Engine.open();
  for (const sql of bootstrapStatements(TARGET)) engine.execute(sql);
  for (const { statements } of MIGRATIONS) for (const sql of statements(TARGET)) engine.execute(sql);
  engine.execute('CREATE TABLE weir.shadow_x_otel_logs AS weir.otel_logs');
  engine.execute(
    'CREATE TABLE weir.shadow_x_stale (TableName LowCardinality(String), RawPosition UInt64, Hash UInt64) ENGINE = MergeTree() ORDER BY (TableName, RawPosition, Hash)',
  );
});

beforeEach(() => {
  for (const table of ['otel_logs', 'shadow_x_otel_logs', 'shadow_x_stale'])
    engine.execute(`TRUNCATE TABLE weir.${table}`);
});

afterAll(() => engine.close());

type Row = readonly [
  body: string,
  offset: number,
  more?: { tenant?: string; day?: string; partition?: number; days?: number },
];

function put(table: string, rows: readonly Row[]): void {
  for (const [body, offset, { tenant = 'a', day = '2026-11-21', partition = 2, days = 30 } = {}] of rows) {
    const position = rawPosition('v1', partition, offset);
    engine.execute(
      `INSERT INTO weir.${table} (TenantId, RetentionDays, ReceivedDay, RawPosition, Body) SETTINGS insert_deduplication_token = '${puts++}' VALUES ('${tenant}', ${days}, '${day}', ${position}, '${body}')`,
    );
  }
}

const live = (...rows: Row[]) => put('otel_logs', rows);
const shadow = (...rows: Row[]) => put('shadow_x_otel_logs', rows);
const counts = () => engine.select(`SELECT * FROM (${difference.counts(CHUNK)}) ORDER BY tenant`);
const bodies = () =>
  engine.select<{ Body: string }>('SELECT Body FROM weir.otel_logs ORDER BY Body').map(({ Body }) => Body);

function promote(round = 0): void {
  engine.execute(difference.markStale('otel_logs', CHUNK));
  engine.execute(difference.deleteStale('otel_logs', CHUNK));
  engine.execute(difference.fill('otel_logs', CHUNK, `promote-${round}`));
}

test('rows are compared by raw record as sets with repeats, and what is outside of the window is not looked at', () => {
  live(
    ['same', 10],
    ['twice', 11],
    ['twice', 11],
    ['wrong', 12],
    ['extra', 13],
    ['before', 9],
    ['other', 12, { partition: 3 }],
  );
  live(['kept', 15, { days: 7 }], ['moved', 16]);
  shadow(['same', 10], ['twice', 11], ['right', 12], ['lacking', 14], ['lacking', 14], ['kept', 15, { days: 90 }]);
  shadow(['moved', 16, { tenant: 'b' }]);
  const zero = { different: '0', onlyLive: '0', onlyShadow: '0', replaceable: '0', fillable: '0' };
  expect(counts()).toEqual([
    // A copy too many, a row too many, and one that is another tenant's; two lack, one is different.
    { ...zero, tenant: 'a', different: '1', onlyLive: '3', onlyShadow: '2', replaceable: '1', fillable: '3' },
    { ...zero, tenant: 'b', onlyShadow: '1', fillable: '1' },
  ]);
});

test('a promotion replaces what is different, inserts what lacks, as often as it lacks, and leaves the rest', () => {
  live(['same', 10], ['one', 11], ['wrong', 12], ['extra', 13], ['both', 14], ['both too', 14], ['outside', 30]);
  shadow(['same', 10], ['one', 11], ['one', 11], ['one', 11], ['right', 12], ['other', 14]);
  const expected = ['both', 'both too', 'extra', 'one', 'one', 'one', 'outside', 'right', 'same'];
  promote();
  expect(bodies()).toEqual(expected);
  promote();
  expect(bodies()).toEqual(expected);
  promote(1);
  expect(bodies()).toEqual(expected);
});

test('one that was killed after it deleted is made good, and a slower one takes nothing back', () => {
  live(['wrong', 12]);
  shadow(['right', 12]);
  const slow = [difference.deleteStale('otel_logs', CHUNK), difference.fill('otel_logs', CHUNK, 'promote-0')];
  engine.execute(difference.markStale('otel_logs', CHUNK));
  engine.execute(slow[0]!);
  expect(bodies()).toEqual([]);
  promote();
  expect(bodies()).toEqual(['right']);
  for (const sql of slow) engine.execute(sql);
  expect(bodies()).toEqual(['right']);
});

test('an insertion that was decided before another one made it adds nothing, even over two days and retentions', () => {
  const rows: Row[] = [
    ['one', 11, { day: '2026-11-20' }],
    ['two', 12],
    ['three', 12, { days: 7 }],
  ];
  shadow(...rows);
  const fill = difference.fill('otel_logs', CHUNK, 'promote-0');
  engine.execute(fill);
  expect(bodies()).toEqual(['one', 'three', 'two']);
  // As if it had been running since before: live looks empty to it.
  const late = fill.replaceAll('FROM `weir`.`otel_logs` WHERE', 'FROM `weir`.`otel_logs` WHERE 0 AND');
  expect(late).not.toBe(fill);
  engine.execute(late);
  expect(bodies()).toEqual(['one', 'three', 'two']);
});

test('a chunk goes in by pieces of so many bytes, cut between raw records', () => {
  const chunk = { partition: 2, first: 5, last: 90 };
  const record = (offset: number, bytes: number) => ({
    position: String(rawPosition('v1', 2, offset)),
    bytes: String(bytes),
  });
  expect(piecesOf(chunk, [record(10, 60), record(11, 40), record(12, 1), record(40, 300), record(41, 5)], 100)).toEqual(
    [
      { partition: 2, first: 5, last: 11 },
      { partition: 2, first: 12, last: 39 },
      { partition: 2, first: 40, last: 40 },
      { partition: 2, first: 41, last: 90 },
    ],
  );
  expect(piecesOf(chunk, [])).toEqual([chunk]);
  shadow(['one', 11], ['two', 12], ['two', 12]);
  const sizes = engine.select<{ position: string; bytes: string }>(difference.recordBytes(CHUNK));
  expect(sizes.map(({ position }) => position)).toEqual(
    [11, 12].map((offset) => String(rawPosition('v1', CHUNK.partition, offset))),
  );
  expect(Number(sizes[1]?.bytes)).toBe(2 * Number(sizes[0]?.bytes));
});

test('chunks are runs of batches of one partition', () => {
  const batch = (partition: number, first: number, last: number, rows: number): DoneBatch => ({
    partition,
    first,
    last,
    tally: { rows: { otel_logs: rows }, dead: {}, repeated: 0 },
    marks: [],
  });
  const batches = [batch(0, 1, 5, 300_000), batch(0, 6, 9, 100_000), batch(0, 10, 12, 1), batch(2, 0, 4, 5)];
  expect(chunksOf(batches)).toMatchObject([
    { partition: 0, first: 1, last: 9 },
    { partition: 0, first: 10, last: 12 },
    { partition: 2, first: 0, last: 4 },
  ]);
});
