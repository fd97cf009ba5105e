import type { LowCardinalityColumn, StringColumn } from '@weir/native';
import { SHORT, WIRE, type WireReader } from '@weir/otlp';

const FIELDS = 32;
/** There is no field 0. */
const TAG_MIN = 1 << 3;

/**
 * Where the fields of one message lie, found in a first walk so that validity is known before a row is begun. `start`
 * is -1 for a field that is not there; of a field that repeats, `repeated` holds tag, start and end of each.
 */
export class MessageFields {
  readonly start = new Int32Array(FIELDS);
  readonly end = new Int32Array(FIELDS);
  repeated = new Int32Array(3 * 256);
  repeatedCount = 0;

  /** Walks the message up to `end`; `repeats` is a bit set of field numbers. False once the reader has a fault. */
  read(reader: WireReader, end: number, repeats: number): boolean {
    const { start } = this;
    for (let field = 0; field < FIELDS; field++) start[field] = -1;
    this.repeatedCount = 0;
    const { buf } = reader;
    const last = end - 1;
    while (reader.pos < end) {
      const { pos } = reader;
      const tag = buf[pos]!;
      // Nearly all: a tag of one byte, and a length or a varint of one byte.
      if (pos < last && tag >= TAG_MIN && tag < SHORT) {
        const type = tag & 7;
        const next = buf[pos + 1]!;
        const from = type === WIRE.bytes ? pos + 2 : pos + 1;
        let to = end + 1;
        if (type === WIRE.bytes) to = next < SHORT ? from + next : to;
        else if (type === WIRE.fixed64) to = pos + 9;
        else if (type === WIRE.varint && next < SHORT) to = pos + 2;
        if (to <= end) {
          reader.pos = to;
          this.#note(tag, from, to, repeats);
          continue;
        }
      }
      if (!this.#readOther(reader, end, repeats)) return false;
    }
    return true;
  }

  #readOther(reader: WireReader, end: number, repeats: number): boolean {
    const tag = reader.tag(end);
    if (tag < 0) return false;
    const type = tag & 7;
    let start = reader.pos;
    if (type === WIRE.bytes) {
      const stop = reader.length(end);
      if (stop < 0) return false;
      start = reader.pos;
      reader.pos = stop;
    } else if (!reader.skip(type, end)) return false;
    if (tag >>> 3 < FIELDS) this.#note(tag, start, reader.pos, repeats);
    return true;
  }

  #note(tag: number, start: number, end: number, repeats: number): void {
    const field = tag >>> 3;
    if (((repeats >>> field) & 1) !== 0) this.#repeat(tag, start, end);
    else {
      this.start[field] = start;
      this.end[field] = end;
    }
  }

  #repeat(tag: number, start: number, end: number): void {
    const at = this.repeatedCount++ * 3;
    if (at === this.repeated.length) {
      const grown = new Int32Array(at * 2);
      grown.set(this.repeated);
      this.repeated = grown;
    }
    this.repeated[at] = tag;
    this.repeated[at + 1] = start;
    this.repeated[at + 2] = end;
  }

  /** A varint field's value as an unsigned 32-bit number; 0 where it is missing. */
  varint(reader: WireReader, field: number): number {
    const start = this.start[field]!;
    if (start < 0) return 0;
    const back = reader.pos;
    reader.pos = start;
    const value = reader.varint(this.end[field]!);
    reader.pos = back;
    return value;
  }

  /** Lower half of a fixed64 field, or a fixed32 field; 0 where it is missing. */
  lo(reader: WireReader, field: number): number {
    const start = this.start[field]!;
    if (start < 0) return 0;
    return this.end[field]! - start >= 4 ? reader.word(start) : reader.low32(start);
  }

  /** Upper half of a fixed64 field; 0 where it is missing. */
  hi(reader: WireReader, field: number): number {
    const start = this.start[field]!;
    if (start < 0) return 0;
    return this.end[field]! - start >= 8 ? reader.word(start + 4) : reader.low32(start + 4);
  }

  size(field: number): number {
    const start = this.start[field]!;
    return start < 0 ? 0 : this.end[field]! - start;
  }

  /** Pushes a string field, empty where it is missing. */
  pushString(buf: Uint8Array, field: number, column: StringColumn | LowCardinalityColumn): void {
    const start = this.start[field]!;
    if (start < 0) column.push(buf, 0, 0);
    else column.push(buf, start, this.end[field]!);
  }

  /** Pushes a bytes field as lower-case hex, empty where it is missing. */
  pushHex(buf: Uint8Array, field: number, column: StringColumn): void {
    const start = this.start[field]!;
    if (start < 0) column.pushEmpty();
    else pushHex(buf, start, this.end[field]!, column);
  }
}

/** The two digits of each byte, as the little-endian word that they are. */
const HEX = Uint16Array.from({ length: 256 }, (_, byte) =>
  Buffer.from(byte.toString(16).padStart(2, '0')).readUInt16LE(),
);

/** Pushes an id as lower-case hex; an id of zeros is no id. */
export function pushHex(buf: Uint8Array, start: number, end: number, column: StringColumn): void {
  const { data } = column;
  const before = data.length;
  const size = (end - start) * 2;
  data.varint(size);
  data.reserve(size);
  const out = data.view;
  let at = data.length;
  let bits = 0;
  for (let from = start; from < end; from++) {
    const byte = buf[from]!;
    bits |= byte;
    out.setUint16(at, HEX[byte]!, true);
    at += 2;
  }
  data.length = bits === 0 ? before : at;
  if (bits === 0) column.pushEmpty();
  else column.rows++;
}
