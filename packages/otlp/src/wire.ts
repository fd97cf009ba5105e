import { isUtf8 as isUtf8Native } from 'node:buffer';

/** Protobuf wire types. Groups (3, 4) are refused: OTLP has none. */
export const WIRE = { varint: 0, fixed64: 1, bytes: 2, fixed32: 5 } as const;

/** Tags, lengths and varints below it are one byte. */
export const SHORT = 0x80;

/** Why bytes are not an export. A closed list; offsets are told apart from it. */
export type WireFault =
  | 'truncated'
  | 'varint_overlong'
  | 'length_past_end'
  | 'illegal_tag'
  | 'wrong_wire_type'
  | 'nested_too_deep'
  | 'invalid_utf8';

const EMPTY = new Uint8Array(0);
const EMPTY_VIEW = new DataView(EMPTY.buffer);

/** Longer strings are checked by the native routine; below it the call costs more than the loop. */
const NATIVE_UTF8_MIN = 96;

/**
 * Walks protobuf bytes. Holds a position and the first fault; readers return -1 or false once there is a fault and
 * never throw, whatever the bytes; {@link WireReader.word} alone is for what has been read before. One instance serves any number of buffers: {@link WireReader.open} starts anew.
 */
export class WireReader {
  buf: Uint8Array = EMPTY;
  /** The same bytes, four at a time. */
  view: DataView = EMPTY_VIEW;
  pos = 0;
  /** Upper 32 bits of the last varint read by {@link varint64}; the lower are its result. */
  hi = 0;
  fault: WireFault | undefined = undefined;
  faultAt = 0;

  open(buf: Uint8Array): void {
    this.buf = buf;
    this.view = new DataView(buf.buffer, buf.byteOffset, buf.byteLength);
    this.pos = 0;
    this.fault = undefined;
    this.faultAt = 0;
  }

  /** Lets go of the bytes; the fault stays. */
  release(): void {
    this.buf = EMPTY;
    this.view = EMPTY_VIEW;
  }

  fail(fault: WireFault): false {
    if (this.fault === undefined) {
      this.fault = fault;
      this.faultAt = this.pos;
    }
    return false;
  }

  /** Reads a tag that must end before `end`: field << 3 | wire type, or -1. */
  tag(end: number): number {
    const first = this.buf[this.pos]!;
    if (first < 0x80 && this.pos < end) {
      if (first < 8) return this.#failed('illegal_tag');
      this.pos++;
      return first;
    }
    const at = this.pos;
    const value = this.varint(end);
    if (value < 0) return -1;
    const size = this.pos - at;
    if (size > 5 || this.hi !== 0 || value >>> 3 === 0 || value < 0) return this.#failed('illegal_tag');
    return value;
  }

  /** Reads a varint of at most 10 bytes; returns its lower 32 bits as an unsigned number (upper in `hi`), or -1. */
  varint(end: number): number {
    const { buf } = this;
    let pos = this.pos;
    if (pos >= end) return this.#failed('truncated');
    let byte = buf[pos++]!;
    let lo = byte & 0x7f;
    this.hi = 0;
    if (byte < 0x80) {
      this.pos = pos;
      return lo;
    }
    let hi = 0;
    for (let shift = 7; ; shift += 7) {
      if (pos >= end) return this.#failed('truncated');
      if (shift > 63) return this.#failed('varint_overlong');
      byte = buf[pos++]!;
      const bits = byte & 0x7f;
      if (shift < 28) lo |= bits << shift;
      else if (shift === 28) {
        lo |= bits << 28;
        hi |= bits >>> 4;
      } else hi |= bits << (shift - 32);
      if (byte < 0x80) break;
    }
    this.pos = pos;
    this.hi = hi >>> 0;
    return lo >>> 0;
  }

  /** Reads a length prefix; returns where the field ends, or -1. The position is at its first byte. */
  length(end: number): number {
    const { buf, pos } = this;
    const first = buf[pos]!;
    if (first < 0x80 && pos < end) {
      const stop = pos + 1 + first;
      if (stop > end) return this.#failed('length_past_end');
      this.pos = pos + 1;
      return stop;
    }
    const size = this.varint(end);
    if (size < 0) return -1;
    const stop = this.pos + size;
    if (this.hi !== 0 || stop > end) return this.#failed('length_past_end');
    return stop;
  }

  /** Passes over the value of a field of wire type `type`. */
  skip(type: number, end: number): boolean {
    if (type === WIRE.varint) return this.varint(end) >= 0;
    if (type === WIRE.bytes) {
      const stop = this.length(end);
      if (stop < 0) return false;
      this.pos = stop;
      return true;
    }
    if (type !== WIRE.fixed64 && type !== WIRE.fixed32) return this.fail('illegal_tag');
    this.pos += type === WIRE.fixed64 ? 8 : 4;
    return this.pos <= end || this.fail('truncated');
  }

  /** Lower 32 bits of the little-endian fixed64 or fixed32 at `at`, unsigned; what lies past the bytes counts as 0. */
  low32(at: number): number {
    const { buf } = this;
    return (buf[at]! | (buf[at + 1]! << 8) | (buf[at + 2]! << 16) | (buf[at + 3]! << 24)) >>> 0;
  }

  /** {@link low32} of a field that has been passed over as what it is. @throws RangeError past the bytes */
  word(at: number): number {
    return this.view.getUint32(at, true);
  }

  #failed(fault: WireFault): -1 {
    this.fail(fault);
    return -1;
  }
}

/** The highest bit of each of four bytes. */
const HIGH_BITS = 0x80808080 | 0;

/** Whether the bytes [start, end) are ASCII: four at a time, the last four overlapping those before. */
export function isAscii({ buf, view }: WireReader, start: number, end: number): boolean {
  const last = end - 4;
  if (start > last) {
    for (let pos = start; pos < end; pos++) if (buf[pos]! >= 0x80) return false;
    return true;
  }
  for (let pos = start; pos < last; pos += 4) if ((view.getInt32(pos, true) & HIGH_BITS) !== 0) return false;
  return (view.getInt32(last, true) & HIGH_BITS) === 0;
}

/** Whether the bytes [start, end) are valid UTF-8. Surrogates, overlong forms and code points above U+10FFFF are not. */
export function isUtf8(reader: WireReader, start: number, end: number): boolean {
  if (end - start < NATIVE_UTF8_MIN && isAscii(reader, start, end)) return true;
  return isUtf8Native(reader.buf.subarray(start, end));
}
