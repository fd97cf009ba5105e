import { MIXED_LANE, type RowsMeta, TABLES, type TableName } from '@weir/records';
import type { Batch, BatchCut } from '../batches.ts';

/** One block of a part, as it lies in its record. */
export interface PartBlock {
  /** One zstd frame of one Native block. */
  readonly frame: Buffer;
  readonly rows: number;
  readonly blockBytes: number;
  /** Where its record stands. */
  readonly partition: number;
  readonly offset: number;
  /** Place of its first row in the part, and among all rows of the record. */
  readonly startInPart: number;
  readonly startInRecord: number;
  readonly meta: RowsMeta;
}

/** Rows of one table of a cut that go in together: all of them, or those of one lane. */
export interface Part {
  readonly table: TableName;
  /** `MIXED_LANE` where its rows may be of any. */
  readonly lane: number;
  readonly blocks: PartBlock[];
  rows: number;
}

/** What identifies a part within its cut, in the commit's metadata: the wire index of the table, and above it the lane. */
export function partNumber({ table, lane }: Pick<Part, 'table' | 'lane'>): number {
  return lane * LANE_STEP + TABLES.indexOf(table);
}

const LANE_STEP = 256;

/**
 * The parts of a cut, in order of the partitions and the records: the same cut always gives the same parts. Where its lanes go in
 * apart, a lane with enough rows of a table is a part; all else of the table is another.
 */
export function partsOf({ ranges, apart }: Pick<BatchCut, 'ranges' | 'apart'>, laneRowsMin: number): readonly Part[] {
  const lanes = apart ? lanesApart(ranges, laneRowsMin) : NONE;
  const parts = new Map<number, Part>();
  for (const { partition, entries } of ranges) {
    for (const { offset, meta, value } of entries) {
      if (meta === undefined) continue;
      let startInRecord = 0;
      for (const { table, lane: own, start, end, rows, blockBytes } of meta.sections) {
        const lane = lanes.has(partNumber({ table, lane: own })) ? own : MIXED_LANE;
        const key = partNumber({ table, lane });
        const part = parts.get(key) ?? { table, lane, blocks: [], rows: 0 };
        parts.set(key, part);
        const frame = value.subarray(start, end);
        const where = { partition, offset, startInPart: part.rows, startInRecord, meta };
        part.blocks.push({ frame, rows, blockBytes, ...where });
        part.rows += rows;
        startInRecord += rows;
      }
    }
  }
  return [...parts.values()];
}

const NONE: ReadonlySet<number> = new Set();

/** Numbers of the lanes' parts that go in apart; none of a table that would have no other part. */
function lanesApart(ranges: readonly Batch[], laneRowsMin: number): ReadonlySet<number> {
  const rowsOf = new Map<number, number>();
  for (const { meta } of ranges.flatMap(({ entries }) => entries)) {
    for (const section of meta?.sections ?? []) {
      const number = partNumber(section);
      rowsOf.set(number, (rowsOf.get(number) ?? 0) + section.rows);
    }
  }
  const lanesOf = new Map<number, number>();
  for (const number of rowsOf.keys()) lanesOf.set(number % LANE_STEP, (lanesOf.get(number % LANE_STEP) ?? 0) + 1);
  const large = [...rowsOf].filter(([number, rows]) => rows >= laneRowsMin && number >= LANE_STEP);
  return new Set(large.map(([number]) => number).filter((number) => lanesOf.get(number % LANE_STEP)! > 1));
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
