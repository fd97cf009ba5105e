import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { RowsRecordBuilder, Transcoder } from '@weir/normalize';
import { createTotals, Scanner } from '@weir/otlp';
import { decodeRowsMeta, encodeRowsMeta, type TableName } from '@weir/records';
import { decodeExport } from '@weir/testkit';
import type { BenchExport } from './exports.ts';
import type { Pair } from './measure.ts';
import { type PlainRows, plainRows } from './plain-rows.ts';

/** Exports that are transcoded into one block, as the normalizer does. */
const EXPORTS_PER_BLOCK = 10;
const SLOW_NS = 500_000_000;
const ZSTD = { params: { [constants.ZSTD_c_compressionLevel]: 1 } };

export const DAY = '2026-11-21';
const OWNER = { tenant: 'acme', retentionDays: 30, receivedAtNs: 1_795_237_200_000_000_000n };

/** One table's rows as a Native block. */
export interface TableBlock {
  readonly table: TableName;
  readonly rows: number;
  readonly block: Buffer;
}

/** What an edge has to know of an export: read in place, or decoded to objects. */
function scanPair(one: BenchExport): Pair {
  const scanner = new Scanner();
  const totals = createTotals();
  return {
    name: `${one.signal}: scan`,
    items: one.items,
    bytes: one.body.length,
    ours: () => scanner.scan(one.signal, one.body, SLOW_NS, totals),
    reference: () => decodeExport(one.signal, one.body),
  };
}

/** From OTLP bytes to what ClickHouse can read: Native blocks, or lines of JSONEachRow. */
function transcodePair(one: BenchExport): Pair {
  const transcoder = new Transcoder();
  const input = { ...OWNER, signal: one.signal, body: one.body };
  return {
    name: `${one.signal}: transcode`,
    items: one.items * EXPORTS_PER_BLOCK,
    bytes: one.body.length * EXPORTS_PER_BLOCK,
    ours: () => {
      for (let i = 0; i < EXPORTS_PER_BLOCK; i++) transcoder.add(input, () => undefined);
      transcoder.finish(() => undefined);
      transcoder.clear();
    },
    reference: () => {
      for (let i = 0; i < EXPORTS_PER_BLOCK; i++) joined(plainRows(one.signal, one.body, OWNER.tenant, DAY));
    },
  };
}

/**
 * From rows to the body of an insert by way of Kafka. Ours: a frame for each table, which the sink passes on as it is. The
 * plain way: lines as a compressed record, which the sink inflates, joins and compresses again.
 */
function bodyPair(one: BenchExport): Pair {
  const blocks = blocksOf(one, EXPORTS_PER_BLOCK);
  const lines = joined(plainRows(one.signal, one.body, OWNER.tenant, DAY));
  return {
    name: `${one.signal}: insert body`,
    items: one.items * EXPORTS_PER_BLOCK,
    bytes: one.body.length * EXPORTS_PER_BLOCK,
    ours: () => framesOf(blocks),
    reference: () => {
      for (const text of lines) {
        const records = Array.from({ length: EXPORTS_PER_BLOCK }, () => zstdCompressSync(Buffer.from(text), ZSTD));
        zstdCompressSync(Buffer.concat(records.map((record) => zstdDecompressSync(record))), ZSTD);
      }
    },
  };
}

function framesOf(blocks: readonly TableBlock[]): Buffer[] {
  const record = new RowsRecordBuilder();
  for (const { table, rows, block } of blocks) record.add(table, rows, block);
  const { sections } = record;
  const value = record.value();
  const source = { rawFirst: 0, rawLast: 9, oldestReceivedAtNs: OWNER.receivedAtNs };
  const header = encodeRowsMeta({ kind: 'rows', epoch: 1, owner: '00'.repeat(8), ...source, sections, marks: [] });
  const decoded = decodeRowsMeta(header, value.length);
  if (!decoded.ok || decoded.value.kind !== 'rows') throw new Error('the record cannot be read');
  return decoded.value.sections.map(({ start, end }) => value.subarray(start, end));
}

/** The Native blocks of so many times the export. */
export function blocksOf(one: BenchExport, times = 1): TableBlock[] {
  const transcoder = new Transcoder();
  const blocks: TableBlock[] = [];
  const input = { ...OWNER, signal: one.signal, body: one.body };
  for (let i = 0; i < times; i++) transcoder.add(input, () => undefined);
  transcoder.finish(({ table, rows, block }) => blocks.push({ table, rows, block: Buffer.from(block) }));
  return blocks;
}

function joined(rows: PlainRows): string[] {
  return Object.values(rows).map((lines) => `${lines.join('\n')}\n`);
}

/** The hot path's three steps for one export. */
export function pairsOf(one: BenchExport): Pair[] {
  return [scanPair(one), transcodePair(one), bodyPair(one)];
}
