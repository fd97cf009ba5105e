import { InvariantError } from '@weir/pipeline';
import { Bytes } from './bytes.ts';
import { type Cells, type CellValue, cellsReader, DictionaryCells, FixedCells } from './cells.ts';
import { Cursor, Malformed } from './cursor.ts';

/** Name and ClickHouse type of a column that a block must have. */
interface NamedType {
  readonly name: string;
  readonly type: string;
}

/** The rows of one Native block, to be cut out of it. */
export class BlockRows {
  readonly count: number;
  readonly #columns: ReadonlyMap<string, { readonly type: string; readonly cells: Cells }>;

  private constructor(count: number, columns: ReadonlyMap<string, { readonly type: string; readonly cells: Cells }>) {
    this.count = count;
    this.#columns = columns;
  }

  /**
   * Reads one block that has exactly these columns, in their order, and nothing behind it. Undefined for all other bytes.
   * The rows keep the bytes, which must not change.
   */
  static read(block: Buffer, expected: readonly NamedType[]): BlockRows | undefined {
    const cursor = new Cursor(block);
    try {
      if (cursor.varint() !== expected.length) return undefined;
      const count = cursor.varint();
      const columns = new Map<string, { readonly type: string; readonly cells: Cells }>();
      for (const { name, type } of expected) {
        const reader = cellsReader(type);
        if (reader === undefined) throw new InvariantError(`no cells of type ${type} can be read`);
        if (cursor.string().toString('utf8') !== name || cursor.string().toString('utf8') !== type) return undefined;
        if (count > 0) reader.readPrefix(cursor);
        columns.set(name, { type, cells: reader.read(cursor, count) });
      }
      return cursor.at === block.length ? new BlockRows(count, columns) : undefined;
    } catch (error) {
      if (error instanceof Malformed) return undefined;
      throw error;
    }
  }

  /** Reads one block that has one of these layouts: those that its writers have had. */
  static readAny(block: Buffer, layouts: readonly (readonly NamedType[])[]): BlockRows | undefined {
    for (const layout of layouts) {
      const rows = BlockRows.read(block, layout);
      if (rows !== undefined) return rows;
    }
    return undefined;
  }

  /** The rows [from, to) as a block of their own; nothing of the others is in it. At least one. */
  slice(from: number, to: number): Buffer {
    if (from < 0 || from >= to || to > this.count) throw new InvariantError('a slice without rows');
    const out = new Bytes();
    out.varint(this.#columns.size);
    out.varint(to - from);
    for (const [name, { type, cells }] of this.#columns) {
      out.text(name);
      out.text(type);
      cells.writePrefix(out);
      cells.write(from, to, out);
    }
    return out.written();
  }

  /** A row by its columns, for somebody to read: it makes objects. */
  row(at: number): Record<string, CellValue> {
    if (at < 0 || at >= this.count) throw new InvariantError('there is no such row');
    return Object.fromEntries([...this.#columns].map(([name, { cells }]) => [name, cells.valueAt(at)]));
  }

  /** A cell of a LowCardinality(String) column. */
  text(column: string, row: number): string {
    const cells = this.#columns.get(column)?.cells;
    if (!(cells instanceof DictionaryCells)) throw new InvariantError(`${column} is not LowCardinality(String)`);
    return cells.textAt(row);
  }

  /** A cell of a Date column: days since the epoch. */
  day(column: string, row: number): number {
    const found = this.#columns.get(column);
    if (found?.type !== 'Date' || !(found.cells instanceof FixedCells))
      throw new InvariantError(`${column} is no Date`);
    return found.cells.data.readUInt16LE(row * 2);
  }

  /** A cell of a UInt64 column; undefined where the layout has no such column. */
  uint64(column: string, row: number): bigint | undefined {
    const found = this.#columns.get(column);
    if (found === undefined) return undefined;
    if (found.type !== 'UInt64' || !(found.cells instanceof FixedCells))
      throw new InvariantError(`${column} is no UInt64`);
    return found.cells.data.readBigUInt64LE(row * 8);
  }
}
