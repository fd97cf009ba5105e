export { type Columns, writeBlock } from './block.ts';
export { BlockRows } from './block-rows.ts';
export { Bytes } from './bytes.ts';
export type { CellValue } from './cells.ts';
export { type Column, Column64, SmallColumn, StringColumn } from './column.ts';
export { ArrayColumn, MapColumn } from './compound.ts';
export { LowCardinalityColumn } from './low-cardinality.ts';
