import { InvariantError } from '@weir/pipeline';
import type { Bytes } from './bytes.ts';
import type { Column } from './column.ts';

/** The columns of one table, by name, in the order they are written. */
export type Columns = Readonly<Record<string, Column>>;

/**
 * Appends one Native block (as `FORMAT Native` over HTTP takes it) to `out`.
 * @throws InvariantError when the columns differ in their rows
 */
export function writeBlock(columns: Columns, rows: number, out: Bytes): void {
  const entries = Object.entries(columns);
  out.varint(entries.length);
  out.varint(rows);
  for (const [name, column] of entries) {
    if (column.rows !== rows) throw new InvariantError(`column ${name} has ${column.rows} rows of ${rows}`);
    out.text(name);
    out.text(column.type);
    if (rows === 0) continue;
    column.writePrefix(out);
    column.writeData(out);
  }
}
