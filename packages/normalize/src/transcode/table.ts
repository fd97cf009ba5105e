import type { Columns } from '@weir/native';
import type { WireReader } from '@weir/otlp';
import type { TableName } from '@weir/records';
import type { Origin } from './origin.ts';

/** What became of one item: its row was written (`WRITTEN`), the reader has a fault, or an index into ITEM_FAULTS. */
export const WRITTEN = -1;
export const READER_FAULT = -2;

/** The columns of one table, filled row by row. */
export interface TableBlock {
  readonly table: TableName;
  readonly columns: Columns;
  readonly rows: number;
  /** Puts into the columns what rows have in common with those before: to be called before they are written or measured. */
  settle(): void;
  clear(): void;
}

/** Writes one item, whose message ends at `end`. Nothing is written of an item that cannot be stored. */
export type ItemWriter = (reader: WireReader, end: number, origin: Origin) => number;
