import { TABLE_COLUMNS, type TableName } from '@weir/records';
import type { ExpectedRow } from '@weir/testkit';

type Cell = ExpectedRow[string];

/** Reads forward; throws where the block ends too early. */
class BlockReader {
  readonly #bytes: Buffer;
  at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get left(): number {
    return this.#bytes.length - this.at;
  }

  take(size: number): Buffer {
    if (size > this.left) throw new Error(`the block ends within ${size} bytes at ${this.at}`);
    this.at += size;
    return this.#bytes.subarray(this.at - size, this.at);
  }

  varint(): number {
    let value = 0;
    for (let factor = 1; ; factor *= 128) {
      const byte = this.take(1)[0]!;
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) return value;
    }
  }

  uint64(): number {
    return Number(this.take(8).readBigUInt64LE());
  }

  text(): string {
    return this.take(this.varint()).toString('utf8');
  }
}

const DAY_MS = 86_400_000;

function double(value: number): Cell {
  if (Number.isNaN(value)) return 'nan';
  return Number.isFinite(value) ? value : value > 0 ? 'inf' : '-inf';
}

/** Cells as `exactSelect` has ClickHouse say them. */
const FIXED: Readonly<Record<string, (reader: BlockReader) => Cell>> = {
  Bool: (reader) => reader.take(1)[0] === 1,
  UInt8: (reader) => reader.take(1)[0]!,
  UInt16: (reader) => reader.take(2).readUInt16LE(),
  Date: (reader) => new Date(reader.take(2).readUInt16LE() * DAY_MS).toISOString().slice(0, 10),
  Int32: (reader) => reader.take(4).readInt32LE(),
  UInt32: (reader) => reader.take(4).readUInt32LE(),
  UInt64: (reader) => reader.take(8).readBigUInt64LE().toString(),
  'DateTime64(9)': (reader) => reader.take(8).readBigInt64LE().toString(),
  Float64: (reader) => double(reader.take(8).readDoubleLE()),
  String: (reader) => reader.text(),
};

const LOW_CARDINALITY = 'LowCardinality(String)';
const innerOf = (type: string) => /^(?:Array|Map)\((.*)\)$/.exec(type)?.[1];

function readState(reader: BlockReader, type: string): void {
  if (type === LOW_CARDINALITY) {
    if (reader.uint64() !== 1) throw new Error('not a dictionary of one block');
    return;
  }
  const inner = innerOf(type);
  if (inner === undefined) return;
  for (const part of type.startsWith('Map') ? inner.split(', ') : [inner]) readState(reader, part);
}

function readCells(reader: BlockReader, type: string, rows: number): Cell[] {
  const fixed = FIXED[type];
  if (fixed !== undefined) return Array.from({ length: rows }, () => fixed(reader));
  if (type === LOW_CARDINALITY) return readDictionary(reader, rows);
  const inner = innerOf(type);
  if (inner === undefined) throw new Error(`cannot read ${type}`);
  const ends = Array.from({ length: rows }, () => reader.uint64());
  for (const [row, end] of ends.entries())
    if (end < (ends[row - 1] ?? 0)) throw new Error('an array ends before it starts');
  const total = ends.at(-1) ?? 0;
  let items: Cell[];
  if (type.startsWith('Map')) {
    const [keys, values] = inner.split(', ').map((part) => readCells(reader, part, total));
    items = keys!.map((key, index) => [key, values![index]!] as Cell);
  } else items = readCells(reader, inner, total);
  return ends.map((end, row) => items.slice(ends[row - 1] ?? 0, end));
}

function readDictionary(reader: BlockReader, rows: number): Cell[] {
  if (rows === 0) return [];
  const flags = reader.uint64();
  const width = [1, 2, 4][flags & 0xff];
  if (width === undefined || flags >> 8 !== 6) throw new Error(`a dictionary with flags ${flags}`);
  const count = reader.uint64();
  const keys = Array.from({ length: count }, () => reader.text());
  if (new Set(keys).size !== count) throw new Error('a dictionary names a value twice');
  if (reader.uint64() !== rows) throw new Error('a dictionary of other rows');
  return Array.from({ length: rows }, () => {
    const key = keys[reader.take(width).readUIntLE(0, width)];
    if (key === undefined) throw new Error('an id that is not in the dictionary');
    return key;
  });
}

/** The rows of one Native block. @throws Error where it is not a block of that table, to the last byte */
export function blockCells(table: TableName, block: Buffer): ExpectedRow[] {
  const reader = new BlockReader(block);
  const columns = TABLE_COLUMNS[table];
  if (reader.varint() !== columns.length) throw new Error('another number of columns');
  const rows = reader.varint();
  const found: ExpectedRow[] = Array.from({ length: rows }, () => ({}));
  for (const { name, type } of columns) {
    if (reader.text() !== name || reader.text() !== type) throw new Error(`another column than ${name}`);
    readState(reader, type);
    for (const [row, cell] of readCells(reader, type, rows).entries()) found[row]![name] = cell;
  }
  if (reader.left > 0) throw new Error(`${reader.left} bytes behind the block`);
  return found;
}
