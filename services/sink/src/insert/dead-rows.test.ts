import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { signalOf, TABLE_COLUMNS, TABLES, type TableName, usageBlock } from '@weir/records';
import { Engine } from '@weir/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Corrections, deadRowsOf } from './dead-rows.ts';
import type { Part, PartBlock } from './parts.ts';
import { NATIVE_BLOCKS } from './row-blocks.ts';

const ROWS = 12;
const MINUTE = 29_920_600;
const DAY = Math.floor(MINUTE / 1_440);
const META = {
  kind: 'rows',
  epoch: 1,
  owner: '0'.repeat(16),
  rawFirst: 0,
  rawLast: 0,
  oldestReceivedAtNs: BigInt(MINUTE) * 60_000_000_000n,
  sections: [],
  marks: [],
} as const;

const scratch = mkdtempSync(join(tmpdir(), 'weir-dead-rows-'));
let engine: Engine;
let files = 0;

beforeAll(async () => {
  engine = await Engine.open();
});

afterAll(() => {
  engine.close();
  rmSync(scratch, { recursive: true, force: true });
});

/** A block of a table as ClickHouse writes it: runs of four rows of one tenant, the last run of another day. */
function blockOf(table: TableName): Buffer {
  const columns = TABLE_COLUMNS[table];
  const structure = columns.map(({ name, type }) => `\`${name}\` ${type}`).join(', ');
  const replaced = ["('t' || toString(intDiv(rowNumberInAllBlocks(), 4)))::LowCardinality(String) AS TenantId"];
  if (table === 'weir_usage') replaced.push("'logs'::LowCardinality(String) AS Signal");
  else replaced.push(`toDate(${DAY} - intDiv(rowNumberInAllBlocks(), 8)) AS ReceivedDay`);
  const path = join(scratch, `${files++}.native`);
  engine.execute(
    `INSERT INTO FUNCTION file('${path}', Native) SELECT * REPLACE (${replaced.join(', ')}) FROM generateRandom('${structure}', 5, 12, 3) LIMIT ${ROWS} SETTINGS max_threads = 1, max_block_size = 1000`,
  );
  return readFileSync(path);
}

function partOf(table: TableName, blocks: readonly Buffer[], broken = -1): Part {
  const made = blocks.map(
    (block, at): PartBlock => ({
      frame: at === broken ? Buffer.from('no frame') : zstdCompressSync(block),
      rows: ROWS,
      blockBytes: block.length,
      partition: 0,
      offset: 100 + at,
      startInPart: at * ROWS,
      startInRecord: 1_000,
      meta: META,
    }),
  );
  return { table, lane: 0, blocks: made, rows: ROWS * blocks.length };
}

test.each(TABLES)('letters of %s hold each row once, each of one tenant, as ClickHouse reads them', (table) => {
  const block = blockOf(table);
  const expected = engine.readBlock(block);
  const part = partOf(table, [block, block]);
  const dead = [...deadRowsOf(part, 2, ROWS + 5, NATIVE_BLOCKS)];
  expect(dead.map(({ tenant, rows, offset, index }) => [tenant, rows, offset, index])).toEqual([
    ['t0', 2, 100, 1_002],
    ['t1', 4, 100, 1_004],
    ['t2', 4, 100, 1_008],
    ['t0', 4, 101, 1_000],
    ['t1', 1, 101, 1_004],
  ]);
  const signal = table === 'weir_usage' ? 'logs' : signalOf(table);
  expect(dead.every((rows) => rows.signal === signal)).toBe(true);
  const read = dead.flatMap(({ frame }) => engine.readBlock(zstdDecompressSync(frame)));
  expect(read).toEqual([...expected.slice(2), ...expected.slice(0, 5)]);
});

test('the books are put right by tenant and by the day of the row, and the books themselves are no items', () => {
  const corrections = new Corrections();
  for (const rows of deadRowsOf(partOf('otel_logs', [blockOf('otel_logs')]), 0, ROWS, NATIVE_BLOCKS))
    corrections.add(rows);
  const booked = corrections.usage.entries();
  expect(booked.map(({ tenant, minute, outcome, items }) => [tenant, minute, outcome, items])).toEqual([
    ['t0', MINUTE, 'stored', -4],
    ['t0', MINUTE, 'dead_lettered', 4],
    ['t1', MINUTE, 'stored', -4],
    ['t1', MINUTE, 'dead_lettered', 4],
    ['t2', (DAY - 1) * 1_440, 'stored', -4],
    ['t2', (DAY - 1) * 1_440, 'dead_lettered', 4],
  ]);
  const frame = NATIVE_BLOCKS.usage(booked);
  expect(zstdDecompressSync(frame)).toEqual(usageBlock(booked));
  const ofBooks = new Corrections();
  for (const rows of deadRowsOf(partOf('weir_usage', [blockOf('weir_usage')]), 0, ROWS, NATIVE_BLOCKS))
    ofBooks.add(rows);
  expect(ofBooks.usage.size).toBe(0);
});

test('a block that cannot be read is one letter of its bytes, and nobody is said to own it', () => {
  const block = blockOf('otel_traces');
  const part = partOf('otel_traces', [block, block], 0);
  const [broken, ...others] = deadRowsOf(part, 0, 2 * ROWS, NATIVE_BLOCKS);
  expect(broken).toMatchObject({ tenant: '', rows: ROWS, offset: 100, frame: Buffer.from('no frame') });
  expect(others.map(({ tenant }) => tenant)).toEqual(['t0', 't1', 't2']);
  const corrections = new Corrections();
  corrections.add(broken!);
  expect(corrections.usage.size).toBe(0);
  const bomb = { ...part.blocks[1]!, blockBytes: block.length - 1 };
  expect(NATIVE_BLOCKS.open('otel_traces', bomb)).toBeUndefined();
});
