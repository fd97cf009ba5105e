import { bootstrapStatements, MIGRATIONS } from '@weir/clickhouse';
import { rawPosition } from '@weir/records';
import { Engine } from '@weir/testkit';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import type { DoneBatch } from '../replay/journal.ts';
import type { ReplayPlan } from '../replay/plan.ts';
import { ownTables } from '../replay/shadow-tables.ts';
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
const difference = new Difference(TARGET, PLAN, 'logs');
const GAUGES_AND_SUMS: ReplayPlan = { ...PLAN, tables: ['otel_metrics_gauge', 'otel_metrics_sum'] };
const metrics = new Difference(TARGET, GAUGES_AND_SUMS, 'metrics');
const COMPARED = ['otel_logs', 'otel_metrics_gauge', 'otel_metrics_sum'] as const;
let engine: Engine;
let puts = 0;

beforeAll(async () => {
  engine = await Engine.open();
  for (const sql of bootstrapStatements(TARGET)) engine.execute(sql);
  for (const { statements } of MIGRATIONS) for (const sql of statements(TARGET)) engine.execute(sql);
  for (const table of COMPARED) engine.execute(`CREATE TABLE weir.shadow_x_${table} AS weir.${table}`);
  for (const sql of ownTables(TARGET, 'x')) engine.execute(sql);
});

beforeEach(() => {
  const own = ['shadow_x_stale', 'shadow_x_places', ...COMPARED.map((table) => `shadow_x_${table}`)];
  for (const table of [...COMPARED, ...own]) engine.execute(`TRUNCATE TABLE weir.${table}`);
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
  const zero = { table: 'otel_logs', different: '0', onlyLive: '0', onlyShadow: '0', replaceable: '0', fillable: '0' };
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

function point(table: string, name: string, offset: number): void {
  const position = rawPosition('v1', 2, offset);
  engine.execute(
    `INSERT INTO weir.${table} (TenantId, RetentionDays, ReceivedDay, RawPosition, MetricName) SETTINGS insert_deduplication_token = '${puts++}' VALUES ('a', 30, '2026-11-21', ${position}, '${name}')`,
  );
}

function points(): Record<string, string[]> {
  const names = (table: string) =>
    engine
      .select<{ MetricName: string }>(`SELECT MetricName FROM weir.${table} ORDER BY MetricName`)
      .map(({ MetricName }) => MetricName);
  return { gauges: names('otel_metrics_gauge'), sums: names('otel_metrics_sum') };
}

const EACH = ['otel_metrics_gauge', 'otel_metrics_sum'] as const;

test('an item that is in another table now is taken out of the old one, and one more is inserted only where nothing is left over', () => {
  point('otel_metrics_gauge', 'requests', 10);
  point('shadow_x_otel_metrics_sum', 'requests', 10);
  // A point came back beside one that moved.
  point('otel_metrics_gauge', 'errors', 11);
  for (const name of ['errors', 'retries']) point('shadow_x_otel_metrics_sum', name, 11);
  // Of this record live has more than the shadow: nothing is deleted, and so nothing inserted.
  for (const name of ['kept', 'kept too']) point('otel_metrics_gauge', name, 12);
  point('shadow_x_otel_metrics_sum', 'kept', 12);
  const whole = { table: 'otel_metrics_gauge', tenant: 'a', different: '0', onlyShadow: '0', fillable: '0' };
  expect(engine.select(`SELECT * FROM (${metrics.counts(CHUNK)}) ORDER BY table`)).toEqual([
    { ...whole, onlyLive: '4', replaceable: '2' },
    { ...whole, table: 'otel_metrics_sum', onlyLive: '0', onlyShadow: '4', replaceable: '0', fillable: '3' },
  ]);
  // A slower one that decided before the others deleted and inserted.
  const late = EACH.map((table) => metrics.fill(table, CHUNK, `promote-0:${table}`));
  for (let round = 0; round < 3; round++) {
    for (const table of EACH) engine.execute(metrics.markStale(table, CHUNK));
    for (const table of EACH) engine.execute(metrics.deleteStale(table, CHUNK));
    if (round === 0) expect(points()).toEqual({ gauges: ['kept', 'kept too'], sums: [] });
    for (const table of EACH) engine.execute(metrics.fill(table, CHUNK, `promote-${round}:${table}`));
    expect(points()).toEqual({ gauges: ['kept', 'kept too'], sums: ['errors', 'requests', 'retries'] });
  }
  for (const sql of late) engine.execute(sql);
  expect(points()).toEqual({ gauges: ['kept', 'kept too'], sums: ['errors', 'requests', 'retries'] });
});

test('places that a run leaves out are neither counted nor changed by it, and what the shadow has where letters are is told', () => {
  live(['wrong', 12]);
  shadow(['right', 12], ['lacking', 13], ['lacking', 13], ['lacking', 14, { day: '2026-11-20' }]);
  const place = (run: string, kind: string, offset: number) =>
    engine.execute(`INSERT INTO weir.shadow_x_places VALUES ('${run}', '${kind}', ${rawPosition('v1', 2, offset)})`);
  for (const offset of [12, 13]) place('one', 'left', offset);
  place('other', 'left', 14);
  for (const offset of [12, 13, 14, 15]) place('one', 'letters', offset);
  const position = (offset: number) => String(rawPosition('v1', 2, offset));
  expect(engine.select(`SELECT * FROM (${difference.shadowOf('one')}) ORDER BY position`)).toEqual([
    { position: position(12), rows: '1', day: 20_778 },
    { position: position(13), rows: '2', day: 20_778 },
    { position: position(14), rows: '1', day: 20_777 },
  ]);
  const some = new Difference(TARGET, PLAN, 'logs', 'one');
  expect(engine.select(some.counts(CHUNK))).toMatchObject([{ onlyShadow: '1', replaceable: '0', fillable: '1' }]);
  engine.execute(some.markStale('otel_logs', CHUNK));
  engine.execute(some.deleteStale('otel_logs', CHUNK));
  engine.execute(some.fill('otel_logs', CHUNK, 'promote-0'));
  expect(bodies()).toEqual(['lacking', 'wrong']);
  live(['extra', 15], ['more', 14]);
  expect(engine.select(difference.stuckOf('one', CHUNK))).toMatchObject(
    expect.arrayContaining([{ position: position(14) }, { position: position(15) }]),
  );
});

test('a piece of which no row is written down needs no deletion', () => {
  live(['wrong', 12]);
  shadow(['right', 12]);
  engine.execute(difference.markStale('otel_logs', CHUNK));
  const has = (chunk: typeof CHUNK) => engine.select(difference.hasStale('otel_logs', chunk)).length;
  expect([CHUNK, { ...CHUNK, last: 11 }, { ...CHUNK, first: 13 }, { ...CHUNK, partition: 3 }].map(has)).toEqual([
    1, 0, 0, 0,
  ]);
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
