import type { DescField, DescMessage } from '@bufbuild/protobuf';

/** One field of a protobuf message, taken apart where it holds a message of the official schema. */
export interface WireField {
  number: number;
  type: number;
  /** The value as it stands on the wire, without a length; unused where there are fields. */
  value: Buffer;
  message: DescMessage | undefined;
  fields: WireField[] | undefined;
  /** Put into the length that is written. */
  lengthError: number;
  /** Needless bytes in the tag and the length. */
  padding: number;
}

const trees = new WeakMap<DescMessage, WeakMap<Buffer, WireField[] | 'broken'>>();

/** An export taken apart, once for each buffer: not to be changed. Undefined where the bytes are not one. */
export function treeOf(message: DescMessage, bytes: Buffer): readonly WireField[] | undefined {
  const known = trees.get(message) ?? new WeakMap<Buffer, WireField[] | 'broken'>();
  trees.set(message, known);
  const tree = known.get(bytes) ?? parseWire(message, bytes) ?? 'broken';
  known.set(bytes, tree);
  return tree === 'broken' ? undefined : tree;
}

/** Deeper ones, which are no exports, are changed by their bytes alone. */
const DEPTH_MAX = 150;

function parseWire(message: DescMessage, bytes: Buffer, depth = 1): WireField[] | undefined {
  if (depth > DEPTH_MAX) return undefined;
  const fields: WireField[] = [];
  for (let at = 0; at < bytes.length; ) {
    const tag = readVarint(bytes, at);
    const start = varintEnd(bytes, at);
    const number = Math.floor(tag / 8);
    const type = tag % 8;
    if (start < 0 || number === 0 || number >= 2 ** 29) return undefined;
    const [from, end] = rangeOf(bytes, start, type);
    if (end < 0 || end > bytes.length) return undefined;
    const value = bytes.subarray(from, end);
    const child = type === 2 ? fieldOf(message, number)?.message : undefined;
    const inner = child === undefined ? undefined : parseWire(child, value, depth + 1);
    fields.push({ number, type, value, message: child, fields: inner, lengthError: 0, padding: 0 });
    at = end;
  }
  return fields;
}

/** Where the value of a field starts and ends that begins, with its length, at `start`; -1 where it has no end. */
export function rangeOf(bytes: Buffer, start: number, type: number): readonly [start: number, end: number] {
  if (type === 0) return [start, varintEnd(bytes, start)];
  if (type === 1) return [start, start + 8];
  if (type === 5) return [start, start + 4];
  const from = type === 2 ? varintEnd(bytes, start) : -1;
  return [from, from < 0 ? -1 : from + readVarint(bytes, start)];
}

const fieldMaps = new WeakMap<DescMessage, Map<number, DescField>>();

/** A field of the official schema. */
export function fieldOf(message: DescMessage, number: number): DescField | undefined {
  let fields = fieldMaps.get(message);
  if (fields === undefined) {
    fields = new Map(message.fields.map((field) => [field.number, field]));
    fieldMaps.set(message, fields);
  }
  return fields.get(number);
}

const VARINT_BYTES = 10;

/** The varint at `at`, rounded where it needs more than 53 bits. */
export function readVarint(bytes: Buffer, at: number): number {
  let value = 0;
  for (let i = 0, factor = 1; i < VARINT_BYTES; i++, factor *= 128) {
    const byte = bytes[at + i] ?? 0;
    value += (byte & 0x7f) * factor;
    if (byte < 0x80) break;
  }
  return value;
}

/** Where the varint at `at` ends; -1 where it has more than ten bytes, or they more than there are. */
export function varintEnd(bytes: Buffer, at: number): number {
  for (let i = 0; i < VARINT_BYTES && at + i < bytes.length; i++) if (bytes[at + i]! < 0x80) return at + i + 1;
  return -1;
}

export function varint(value: bigint, padding = 0): Buffer {
  const bytes: number[] = [];
  for (let rest = value; ; rest >>= 7n) {
    const last = rest < 0x80n;
    bytes.push(Number(rest & 0x7fn) | (last && padding === 0 ? 0 : 0x80));
    if (last) break;
  }
  for (let i = padding; i > 0; i--) bytes.push(i === 1 ? 0 : 0x80);
  return Buffer.from(bytes);
}

/** Writes from the end to the start, so that a length is known when it is written. */
class BackWriter {
  #bytes = Buffer.alloc(64 * 1024);
  #at = this.#bytes.length;

  get length(): number {
    return this.#bytes.length - this.#at;
  }

  written(): Buffer<ArrayBuffer> {
    return Buffer.from(this.#bytes.subarray(this.#at));
  }

  clear(): void {
    this.#at = this.#bytes.length;
  }

  put(bytes: Buffer): void {
    this.#reserve(bytes.length);
    this.#at -= bytes.length;
    this.#bytes.set(bytes, this.#at);
  }

  varint(value: number, padding: number): void {
    if (value < 0x80 && padding === 0) {
      this.#reserve(1);
      this.#bytes[--this.#at] = value;
    } else this.put(varint(BigInt(value), padding));
  }

  #reserve(size: number): void {
    if (size <= this.#at) return;
    const grown = Buffer.alloc(2 * this.#bytes.length + size);
    const used = this.length;
    this.#bytes.copy(grown, grown.length - used, this.#at);
    this.#bytes = grown;
    this.#at = grown.length - used;
  }
}

const writer = new BackWriter();

/** Puts fields together again, faults and all. */
export function writeWire(fields: readonly WireField[]): Buffer<ArrayBuffer> {
  writer.clear();
  writeFields(fields);
  return writer.written();
}

function writeFields(fields: readonly WireField[]): void {
  for (let i = fields.length - 1; i >= 0; i--) {
    const { number, type, value, fields: inner, lengthError, padding } = fields[i]!;
    const before = writer.length;
    if (inner === undefined) writer.put(value);
    else writeFields(inner);
    if (type === 2) writer.varint(Math.max(0, writer.length - before + lengthError), padding);
    writer.varint(number * 8 + type, Math.min(padding, 4));
  }
}
