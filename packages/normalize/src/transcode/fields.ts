import type { LowCardinalityColumn, StringColumn } from '@weir/native';
import type { WireReader } from '@weir/otlp';

const FIELDS = 32;

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
    this.start.fill(-1);
    this.repeatedCount = 0;
    while (reader.pos < end) {
      const tag = reader.tag(end);
      if (tag < 0) return false;
      const type = tag & 7;
      let start = reader.pos;
      if (type === 2) {
        const stop = reader.length(end);
        if (stop < 0) return false;
        start = reader.pos;
        reader.pos = stop;
      } else if (!reader.skip(type, end)) return false;
      const field = tag >>> 3;
      if (field >= FIELDS) continue;
      if (((repeats >>> field) & 1) !== 0) this.#repeat(tag, start, reader.pos);
      else {
        this.start[field] = start;
        this.end[field] = reader.pos;
      }
    }
    return true;
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
    return start < 0 ? 0 : reader.low32(start);
  }

  /** Upper half of a fixed64 field; 0 where it is missing. */
  hi(reader: WireReader, field: number): number {
    const start = this.start[field]!;
    return start < 0 ? 0 : reader.low32(start + 4);
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

const HEX = Buffer.from('0123456789abcdef');

/** Pushes an id as lower-case hex; an id of zeros is no id. */
export function pushHex(buf: Uint8Array, start: number, end: number, column: StringColumn): void {
  const { data } = column;
  const before = data.length;
  const size = (end - start) * 2;
  data.varint(size);
  data.reserve(size);
  const out = data.buf;
  let at = data.length;
  let bits = 0;
  for (let from = start; from < end; from++) {
    const byte = buf[from]!;
    bits |= byte;
    out[at++] = HEX[byte >>> 4]!;
    out[at++] = HEX[byte & 15]!;
  }
  data.length = bits === 0 ? before : at;
  if (bits === 0) column.pushEmpty();
  else column.rows++;
}
