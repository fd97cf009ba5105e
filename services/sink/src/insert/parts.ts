import { type RowsMeta, TABLES, type TableName } from '@weir/records';
import type { Batch } from '../batches.ts';

/** One block of a part, as it lies in its record. */
export interface PartBlock {
  /** One zstd frame of one Native block. */
  readonly frame: Buffer;
  readonly rows: number;
  readonly blockBytes: number;
  /** Offset of its record. */
  readonly offset: number;
  /** Place of its first row in the part, and among all rows of the record. */
  readonly startInPart: number;
  readonly startInRecord: number;
  readonly meta: RowsMeta;
}

/** One table's rows of a batch. */
export interface Part {
  readonly table: TableName;
  readonly blocks: PartBlock[];
  rows: number;
}

/** The sections of a batch by table, in order of the records: the same batch always gives the same parts. */
export function partsOf(batch: Batch): readonly Part[] {
  const parts = new Map<TableName, Part>();
  for (const { offset, meta, value } of batch.entries) {
    if (meta === undefined) continue;
    let startInRecord = 0;
    for (const { table, start, end, rows, blockBytes } of meta.sections) {
      const part = parts.get(table) ?? { table, blocks: [], rows: 0 };
      parts.set(table, part);
      const frame = value.subarray(start, end);
      part.blocks.push({ frame, rows, blockBytes, offset, startInPart: part.rows, startInRecord, meta });
      part.rows += rows;
      startInRecord += rows;
    }
  }
  return [...parts.values()];
}

/** Rows [from, to) of one block. */
export interface BlockRange {
  readonly block: PartBlock;
  readonly from: number;
  readonly to: number;
}

/** The rows [from, to) of a part, by block. */
export function rangesOf(part: Part, from: number, to: number): readonly BlockRange[] {
  const ranges: BlockRange[] = [];
  for (const block of part.blocks) {
    const first = Math.max(from - block.startInPart, 0);
    const end = Math.min(to - block.startInPart, block.rows);
    if (first < end) ranges.push({ block, from: first, to: end });
  }
  return ranges;
}

/** What was recorded as refused, by table. */
export function refusedTables(refused: ReadonlyMap<number, string>): ReadonlyMap<TableName, string> {
  return new Map(
    [...refused].flatMap(([table, marks]) => (TABLES[table] === undefined ? [] : [[TABLES[table], marks]])),
  );
}
