import { EngineError } from './engine.ts';

const NOT_IMPLEMENTED = 48;
const VARINT_BYTES_MAX = 9;
const DICTIONARY_HAS_KEYS = 0x200;

/** Bytes of a value, by the name of its type without what stands in parentheses. */
const WIDTHS: Readonly<Record<string, number>> = {
  Nothing: 1,
  Bool: 1,
  Int8: 1,
  UInt8: 1,
  Enum8: 1,
  Int16: 2,
  UInt16: 2,
  Enum16: 2,
  Date: 2,
  BFloat16: 2,
  Int32: 4,
  UInt32: 4,
  Float32: 4,
  Date32: 4,
  DateTime: 4,
  Decimal32: 4,
  IPv4: 4,
  Int64: 8,
  UInt64: 8,
  Float64: 8,
  DateTime64: 8,
  Decimal64: 8,
  Int128: 16,
  UInt128: 16,
  Decimal128: 16,
  UUID: 16,
  IPv6: 16,
  Int256: 32,
  UInt256: 32,
  Decimal256: 32,
};

/** Reads forward over bytes that the engine wrote. */
export class NativeCursor {
  readonly #bytes: Buffer;
  at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get ended(): boolean {
    return this.at >= this.#bytes.length;
  }

  skip(size: number): void {
    if (size > this.#bytes.length - this.at) throw new RangeError(`a Native block ends within ${size} bytes`);
    this.at += size;
  }

  varint(): number {
    let value = 0;
    let factor = 1;
    for (let read = 0; read < VARINT_BYTES_MAX; read++, factor *= 128) {
      this.skip(1);
      const byte = this.#bytes[this.at - 1]!;
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) return value;
    }
    throw new RangeError('a Native block has a number without an end');
  }

  uint64(): number {
    this.skip(8);
    return Number(this.#bytes.readBigUInt64LE(this.at - 8));
  }

  text(): string {
    const size = this.varint();
    this.skip(size);
    return this.#bytes.toString('utf8', this.at - size, this.at);
  }

  /** A part of the bytes, not copied. */
  slice(from: number, to: number): Buffer {
    return this.#bytes.subarray(from, to);
  }
}

/** A column's type as far as it says where the column ends. */
export interface NativeType {
  readonly name: string;
  readonly parameters: readonly string[];
}

/** `Map(String, Array(UInt8))` is Map with two parameters. Commas within quotes or parentheses part nothing. */
export function parseNativeType(text: string): NativeType {
  const open = text.indexOf('(');
  if (open < 0) return { name: text.trim(), parameters: [] };
  const parameters: string[] = [];
  let depth = 0;
  let quote = '';
  let from = open + 1;
  for (let at = from; at < text.length; at++) {
    const char = text[at]!;
    if (char === '\\') at++;
    else if (quote !== '') quote = char === quote ? '' : quote;
    else if (char === "'" || char === '`' || char === '"') quote = char;
    else if (char === '(') depth++;
    else if ((char === ',' || char === ')') && depth === 0) {
      parameters.push(text.slice(from, at).trim());
      from = at + 1;
    } else if (char === ')') depth--;
  }
  return { name: text.slice(0, open).trim(), parameters };
}

/** Types within a type; undefined where it has none. */
function within({ name, parameters }: NativeType): readonly NativeType[] | undefined {
  if (name === 'Nullable' || name === 'Array' || name === 'Map') return parameters.map(parseNativeType);
  if (name === 'Tuple') return parameters.map((parameter) => parseNativeType(withoutName(parameter)));
  if (name === 'SimpleAggregateFunction') return [parseNativeType(parameters.at(-1) ?? '')];
  return undefined;
}

/** An element of a tuple may have a name before its type. */
function withoutName(element: string): string {
  return element.replace(/^(?:`(?:[^`\\]|\\.)*`|\w+)\s+(?=\w)/, '');
}

/**
 * Moves over a column's state and cells.
 * @throws EngineError where the type's layout is not known here
 */
export function skipColumn(cursor: NativeCursor, type: NativeType, rows: number): void {
  if (rows === 0) return;
  skipState(cursor, type);
  skipCells(cursor, type, rows);
}

function skipState(cursor: NativeCursor, type: NativeType): void {
  if (type.name === 'LowCardinality') cursor.skip(8);
  else for (const inner of within(type) ?? []) skipState(cursor, inner);
}

function skipCells(cursor: NativeCursor, type: NativeType, rows: number): void {
  const width = widthOf(type);
  if (width !== undefined) return void cursor.skip(width * rows);
  if (type.name === 'String') {
    for (let row = 0; row < rows; row++) cursor.skip(cursor.varint());
    return;
  }
  if (type.name === 'LowCardinality')
    return void skipDictionary(cursor, parseNativeType(type.parameters[0] ?? ''), rows);
  const inner = within(type);
  if (inner === undefined) {
    const text = `Code: 48. DB::Exception: ${type.name} in Native for client_protocol_version. (NOT_IMPLEMENTED)`;
    throw new EngineError(NOT_IMPLEMENTED, text);
  }
  let cells = rows;
  if (type.name === 'Nullable') cursor.skip(rows);
  else if (type.name === 'Array' || type.name === 'Map') {
    cursor.skip(8 * (rows - 1));
    cells = cursor.uint64();
  }
  if (cells > 0) for (const part of inner) skipCells(cursor, part, cells);
}

/** Bytes of each value; undefined where they are not all alike. */
function widthOf({ name, parameters }: NativeType): number | undefined {
  if (name === 'FixedString') return Number(parameters[0]);
  if (name.startsWith('Interval')) return 8;
  if (name !== 'Decimal') return WIDTHS[name];
  const digits = Number(parameters[0]);
  return digits <= 9 ? 4 : digits <= 18 ? 8 : digits <= 38 ? 16 : 32;
}

function skipDictionary(cursor: NativeCursor, type: NativeType, rows: number): void {
  const keys = type.name === 'Nullable' ? parseNativeType(type.parameters[0] ?? '') : type;
  for (let left = rows; left > 0; ) {
    const flags = cursor.uint64();
    if ((flags & DICTIONARY_HAS_KEYS) !== 0) skipCells(cursor, keys, cursor.uint64());
    const count = cursor.uint64();
    if (count === 0 || count > left) throw new RangeError('a Native dictionary is for other rows');
    cursor.skip(count * 2 ** (flags & 0xff));
    left -= count;
  }
}
