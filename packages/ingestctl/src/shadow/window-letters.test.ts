import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { zstdCompressSync } from 'node:zlib';
import { bootstrapStatements, MIGRATIONS } from '@weir/clickhouse';
import type { Log, LogRecord } from '@weir/delivery';
import { CONTROL_TOPICS, type DlqMeta, dlqKey, encodeDlqMeta, rawPosition, TABLE_COLUMNS } from '@weir/records';
import { Engine } from '@weir/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { RedriveBook } from '../dlq/redrive-book.ts';
import type { ReplayPlan } from '../replay/plan.ts';
import { readWindowLetters } from './window-letters.ts';

const NEVER = new AbortController().signal;
const COUNTS = { firstAt: '', lastAt: '', records: 0, items: 0, bytes: 0, others: 0, itemsByTenant: {} };
const PLAN: ReplayPlan = {
  id: 'x',
  track: 'v1',
  filter: { tenants: ['acme'], signals: [] },
  partitions: [{ partition: 2, first: 10, last: 19, ...COUNTS }],
  tables: ['otel_logs'],
  days: ['2026-11-20', '2026-11-21'],
};
const DAY_OF_WINDOW = 20_778;
const scratch = mkdtempSync(join(tmpdir(), 'weir-letters-'));
let engine: Engine;
let files = 0;

beforeAll(async () => {
  engine = await Engine.open();
  const target = { database: 'weir' };
  for (const sql of bootstrapStatements(target)) engine.execute(sql);
  for (const { statements } of MIGRATIONS) for (const sql of statements(target)) engine.execute(sql);
});

afterAll(() => {
  engine.close();
  rmSync(scratch, { recursive: true, force: true });
});

/** Rows of otel_logs with these raw positions, as a sink dead-letters them; without the column as those of before have it. */
function rowsOf(positions: readonly bigint[], { day = '2026-11-21', hasPosition = true } = {}): Buffer {
  engine.execute('TRUNCATE TABLE weir.otel_logs');
  const values = positions.map((position) => `('acme', 30, '${day}', ${position})`).join(', ');
  engine.execute(
    `INSERT INTO weir.otel_logs (TenantId, RetentionDays, ReceivedDay, RawPosition) SETTINGS insert_deduplicate = 0 VALUES ${values}`,
  );
  const path = join(scratch, `${files++}.native`);
  const columns = TABLE_COLUMNS.otel_logs
    .map(({ name }) => name)
    .filter((name) => hasPosition || name !== 'RawPosition');
  engine.execute(`INSERT INTO FUNCTION file('${path}', Native) SELECT ${columns.join(', ')} FROM weir.otel_logs`);
  return zstdCompressSync(readFileSync(path));
}

function letter(offset: number, more: Partial<DlqMeta> = {}, value: Buffer = Buffer.from('items')): LogRecord {
  const meta: DlqMeta = {
    tenant: 'acme',
    signal: 'logs',
    reason: 'invalid_time',
    message: '',
    items: 2,
    sourceTopic: 'weir.raw.v1',
    sourcePartition: 2,
    sourceOffset: offset,
    sourceIndex: 0,
    firstSeenNs: 0n,
    ...more,
  };
  return { offset: 0, timestampMs: 0, key: Buffer.from(dlqKey(meta)), value, meta: encodeDlqMeta(meta) };
}

const refused = (offset: number, value: Buffer, more: Partial<DlqMeta> = {}) =>
  letter(offset, { reason: 'rows_rejected', table: 'otel_logs', sourceTopic: 'weir.rows.v1', ...more }, value);

function read(letters: readonly LogRecord[], book = new RedriveBook()) {
  const records = letters.map((record, offset) => ({ ...record, offset }));
  const log = {
    bounds: async () => ({ start: 0, end: records.length }),
    read: async (topic: string) => {
      expect(topic).toBe(CONTROL_TOPICS.dlq);
      return { records, nextOffset: records.length, startOffset: 0, endOffset: records.length };
    },
  };
  return readWindowLetters(log as unknown as Log, book, PLAN, NEVER);
}

test('letters of the window are those whose raw records are in it, of the tenants that were replayed', async () => {
  const at = (offset: number, partition = 2) => rawPosition('v1', partition, offset);
  const book = new RedriveBook();
  book.apply({ kind: 'promote', chunk: 'c', replay: 'y', letters: ['weir.raw.v1/2/10/0'] });
  const { letters, unread, gone } = await read(
    [
      letter(10),
      letter(19, { sourceIndex: 3 }),
      letter(9),
      letter(20),
      letter(12, { sourcePartition: 1 }),
      letter(13, { sourceTopic: 'weir.raw.v2' }),
      letter(14, { tenant: 'other' }),
      letter(15, { tenant: '', reason: 'corrupt_record' }),
      refused(3, rowsOf([at(18), at(18), at(20)])),
      refused(4, rowsOf([at(8), at(9)])),
      refused(5, Buffer.from('no zstd')),
    ],
    book,
  );
  expect(letters).toMatchObject([
    { key: 'weir.raw.v1/2/10/0', kind: 'raw', state: 'sending', promoter: 'y', places: new Map([[at(10), 2]]) },
    { key: 'weir.raw.v1/2/19/3', kind: 'raw', state: 'waiting', promoter: undefined, reason: 'invalid_time' },
    {
      key: 'weir.rows.v1/2/3/0',
      kind: 'rows',
      day: DAY_OF_WINDOW,
      places: new Map([
        [at(18), 2],
        [at(20), 1],
      ]),
    },
  ]);
  expect(unread).toEqual([at(15)]);
  expect(gone).toEqual([]);
});

test('of letters that are not there any more the journal says which records they were of', async () => {
  const book = new RedriveBook();
  const key = (offset: number) => `weir.raw.v1/2/${offset}/0`;
  book.apply({ kind: 'purged', letters: [key(9), key(11), key(12)] });
  book.apply({ kind: 'promote', chunk: 'c', replay: 'y', letters: [key(13)] });
  book.apply({ kind: 'done', chunk: 'c' });
  expect((await read([letter(12)], book)).gone).toEqual([rawPosition('v1', 2, 11)]);
});

test('of letters that the replay holds itself those are missing that are not there any more, and no record is left for it', async () => {
  const book = new RedriveBook();
  const key = (offset: number) => `weir.raw.v1/2/${offset}/0`;
  book.apply({ kind: 'promote', chunk: 'own', replay: PLAN.id, letters: [key(11), key(12), 'weir.rows.v1/2/3/0'] });
  const { gone, missing } = await read([letter(12)], book);
  expect(gone).toEqual([]);
  expect([...missing]).toEqual([
    [key(11), rawPosition('v1', 2, 11)],
    ['weir.rows.v1/2/3/0', undefined],
  ]);
});

test('rows that do not say their raw records stop it where they are of the window’s days and still wait', async () => {
  const blocks = [rowsOf([0n]), rowsOf([1n], { hasPosition: false })];
  for (const block of blocks) await expect(read([refused(3, block)])).rejects.toThrow('1 dead letters hold rows');
  expect((await read([refused(3, rowsOf([0n], { day: '2026-11-22' }))])).letters).toEqual([]);
  const book = new RedriveBook();
  book.apply({ kind: 'insert', chunk: 'c', atMs: 1, letters: ['weir.rows.v1/2/3/0'] });
  book.apply({ kind: 'done', chunk: 'c' });
  expect((await read([refused(3, blocks[0]!)], book)).letters).toEqual([]);
});
