import type { Bytes } from './bytes.ts';
import { Cursor, Malformed } from './cursor.ts';
import { LowCardinalityColumn } from './low-cardinality.ts';

/**
 * A cell as JSON can have it, nothing lost: whole numbers of 64 bits as text, times in UTC with nine digits, days as `2026-01-31`,
 * numbers that JSON has not as `NaN`, `Infinity` or `-Infinity`, maps as objects.
 */
export type CellValue = string | number | boolean | readonly CellValue[] | { readonly [key: string]: CellValue };

/** The cells of one column of a block that was read. They lie in the block's own bytes. */
export interface Cells {
  /** What stands in a row, as {@link CellValue} says. */
  valueAt(row: number): CellValue;
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
const MS_PER_DAY = 86_400_000;
const NS_PER_S = 1_000_000_000n;

interface FixedType {
  readonly size: number;
  readonly valueAt: (data: Buffer, at: number) => CellValue;
}

const FIXED: Readonly<Record<string, FixedType>> = {
  UInt8: { size: 1, valueAt: (data, at) => data.readUInt8(at) },
  Bool: { size: 1, valueAt: (data, at) => data.readUInt8(at) !== 0 },
  UInt16: { size: 2, valueAt: (data, at) => data.readUInt16LE(at) },
  Date: { size: 2, valueAt: (data, at) => new Date(data.readUInt16LE(at) * MS_PER_DAY).toISOString().slice(0, 10) },
  Int32: { size: 4, valueAt: (data, at) => data.readInt32LE(at) },
  UInt32: { size: 4, valueAt: (data, at) => data.readUInt32LE(at) },
  DateTime: { size: 4, valueAt: (data, at) => `${secondText(data.readUInt32LE(at) * 1_000)}Z` },
  UInt64: { size: 8, valueAt: (data, at) => String(data.readBigUInt64LE(at)) },
  Int64: { size: 8, valueAt: (data, at) => String(data.readBigInt64LE(at)) },
  Float64: { size: 8, valueAt: (data, at) => floatValue(data.readDoubleLE(at)) },
  'DateTime64(9)': { size: 8, valueAt: (data, at) => nanoText(data.readBigInt64LE(at)) },
};

function secondText(ms: number): string {
  return new Date(ms).toISOString().slice(0, -5);
}

function nanoText(ns: bigint): string {
  const fraction = ((ns % NS_PER_S) + NS_PER_S) % NS_PER_S;
  return `${secondText(Number((ns - fraction) / NS_PER_S) * 1_000)}.${String(fraction).padStart(9, '0')}Z`;
}

function floatValue(value: number): CellValue {
  return Number.isFinite(value) ? value : String(value);
}

/** Cells of a fixed size. */
export class FixedCells implements Cells {
  readonly data: Buffer;
  readonly #type: FixedType;

  constructor(data: Buffer, type: FixedType) {
    this.data = data;
    this.#type = type;
  }

  valueAt(row: number): CellValue {
    return this.#type.valueAt(this.data, row * this.#type.size);
  }

  writePrefix(): void {}

  write(from: number, to: number, out: Bytes): void {
    const { size } = this.#type;
    out.copy(this.data, from * size, to * size);
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

  /** Bytes that are no UTF-8 are shown as replacement characters. */
  valueAt(row: number): CellValue {
    const cursor = new Cursor(this.#buf);
    cursor.at = this.#starts[row]!;
    return cursor.string().toString('utf8');
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

  valueAt(row: number): CellValue {
    return this.textAt(row);
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

  valueAt(row: number): CellValue {
    const elements: CellValue[] = [];
    const entries: [string, CellValue][] = [];
    const [first, second] = this.#items;
    for (let at = row === 0 ? 0 : this.#ends[row - 1]!; at < this.#ends[row]!; at++) {
      const value = first!.valueAt(at);
      if (second === undefined) elements.push(value);
      else entries.push([String(value), second.valueAt(at)]);
    }
    return second === undefined ? elements : Object.fromEntries(entries);
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
  const fixed = FIXED[type];
  if (fixed !== undefined) {
    return { readPrefix: nothing, read: (cursor, rows) => new FixedCells(cursor.take(rows * fixed.size), fixed) };
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
