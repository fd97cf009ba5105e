import type { Bytes } from './bytes.ts';
import { type Cursor, Malformed } from './cursor.ts';
import { LowCardinalityColumn } from './low-cardinality.ts';

/** The cells of one column of a block that was read. They lie in the block's own bytes. */
export interface Cells {
  /** Writes the type's state, as it stands before any data. */
  writePrefix(out: Bytes): void;
  /** Writes the data of the rows [from, to). */
  write(from: number, to: number, out: Bytes): void;
}

/** How cells of one type are read: first the type's state, then the data. */
interface CellsReader {
  readPrefix(cursor: Cursor): void;
  read(cursor: Cursor, rows: number): Cells;
}

const SHARED_DICTIONARIES_WITH_ADDITIONAL_KEYS = 1;
/** Has additional keys, and a dictionary of its own. */
const FLAGS = 6;
const WIDTHS = [1, 2, 4];
const WORD = 8;

const FIXED_SIZES: Readonly<Record<string, number>> = {
  UInt8: 1,
  Bool: 1,
  UInt16: 2,
  Date: 2,
  Int32: 4,
  UInt32: 4,
  DateTime: 4,
  UInt64: 8,
  Int64: 8,
  Float64: 8,
  'DateTime64(9)': 8,
};

/** Cells of a fixed size. */
export class FixedCells implements Cells {
  readonly data: Buffer;
  readonly #size: number;

  constructor(data: Buffer, size: number) {
    this.data = data;
    this.#size = size;
  }

  writePrefix(): void {}

  write(from: number, to: number, out: Bytes): void {
    out.copy(this.data, from * this.#size, to * this.#size);
  }
}

class StringCells implements Cells {
  readonly #buf: Buffer;
  /** Where each cell begins, its length included; one more for the end. */
  readonly #starts: Float64Array;

  constructor(buf: Buffer, starts: Float64Array) {
    this.#buf = buf;
    this.#starts = starts;
  }

  writePrefix(): void {}

  write(from: number, to: number, out: Bytes): void {
    out.copy(this.#buf, this.#starts[from]!, this.#starts[to]!);
  }
}

/** Cells that name an entry of a dictionary. */
export class DictionaryCells implements Cells {
  readonly #keys: readonly Buffer[];
  readonly #ids: Uint32Array;

  constructor(keys: readonly Buffer[], ids: Uint32Array) {
    this.#keys = keys;
    this.#ids = ids;
  }

  textAt(row: number): string {
    return this.#keys[this.#ids[row]!]!.toString('utf8');
  }

  writePrefix(out: Bytes): void {
    out.uint64(SHARED_DICTIONARIES_WITH_ADDITIONAL_KEYS);
  }

  /** With a dictionary of just what these rows name: the others may be another tenant's. */
  write(from: number, to: number, out: Bytes): void {
    const column = new LowCardinalityColumn();
    const known = new Map<number, number>();
    for (let row = from; row < to; row++) {
      const id = this.#ids[row]!;
      const key = this.#keys[id]!;
      const own = known.get(id) ?? column.intern(key, 0, key.length);
      known.set(id, own);
      column.pushId(own);
    }
    column.writeData(out);
  }
}

/** Cells that hold any number of elements in each of some columns: an Array, or a Map with its keys and values. */
class NestedCells implements Cells {
  readonly #ends: Float64Array;
  readonly #items: readonly Cells[];

  constructor(ends: Float64Array, items: readonly Cells[]) {
    this.#ends = ends;
    this.#items = items;
  }

  writePrefix(out: Bytes): void {
    for (const items of this.#items) items.writePrefix(out);
  }

  write(from: number, to: number, out: Bytes): void {
    const first = from === 0 ? 0 : this.#ends[from - 1]!;
    for (let row = from; row < to; row++) out.uint64(this.#ends[row]! - first);
    const end = to === 0 ? 0 : this.#ends[to - 1]!;
    for (const items of this.#items) items.write(first, end, out);
  }
}

/** How cells of a type are read; undefined for a type that Weir's blocks do not have. */
export function cellsReader(type: string): CellsReader | undefined {
  const size = FIXED_SIZES[type];
  if (size !== undefined) {
    return { readPrefix: nothing, read: (cursor, rows) => new FixedCells(cursor.take(rows * size), size) };
  }
  if (type === 'String') return STRINGS;
  if (type === 'LowCardinality(String)') return DICTIONARY;
  const element = /^Array\((.*)\)$/.exec(type)?.[1];
  const parts = element !== undefined ? [element] : /^Map\((.*), (.*)\)$/.exec(type)?.slice(1);
  const readers = parts?.map(cellsReader);
  if (readers === undefined || !readers.every((reader) => reader !== undefined)) return undefined;
  return {
    readPrefix: (cursor) => {
      for (const reader of readers) reader.readPrefix(cursor);
    },
    read: (cursor, rows) => {
      const ends = readEnds(cursor, rows);
      const count = ends[rows - 1] ?? 0;
      return new NestedCells(
        ends,
        readers.map((reader) => reader.read(cursor, count)),
      );
    },
  };
}

function nothing(): void {}

const STRINGS: CellsReader = {
  readPrefix: nothing,
  read: (cursor, rows) => {
    cursor.expect(rows);
    const starts = new Float64Array(rows + 1);
    for (let row = 0; row < rows; row++) {
      starts[row] = cursor.at;
      cursor.string();
    }
    starts[rows] = cursor.at;
    return new StringCells(cursor.buf, starts);
  },
};

const DICTIONARY: CellsReader = {
  readPrefix: (cursor) => {
    if (cursor.uint64() !== SHARED_DICTIONARIES_WITH_ADDITIONAL_KEYS) throw new Malformed();
  },
  read: (cursor, rows) => {
    if (rows === 0) return new DictionaryCells([], new Uint32Array(0));
    const flags = cursor.uint64();
    const width = WIDTHS[flags & 0xff];
    if (width === undefined || Math.floor(flags / 0x100) !== FLAGS) throw new Malformed();
    const count = cursor.uint64();
    cursor.expect(count);
    const keys: Buffer[] = [];
    for (let id = 0; id < count; id++) keys.push(cursor.string());
    if (cursor.uint64() !== rows) throw new Malformed();
    const data = cursor.take(rows * width);
    const ids = new Uint32Array(rows);
    for (let row = 0; row < rows; row++) {
      const id = data.readUIntLE(row * width, width);
      if (id >= count) throw new Malformed();
      ids[row] = id;
    }
    return new DictionaryCells(keys, ids);
  },
};

/** Where the elements of each row end; they never go back. */
function readEnds(cursor: Cursor, rows: number): Float64Array {
  cursor.expect(rows * WORD);
  const ends = new Float64Array(rows);
  let last = 0;
  for (let row = 0; row < rows; row++) {
    const end = cursor.uint64();
    if (end < last) throw new Malformed();
    ends[row] = end;
    last = end;
  }
  return ends;
}
