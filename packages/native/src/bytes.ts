import { keptCapacity } from './capacity.ts';

/** Bytes shorter than this are copied by a loop: the call of a native copy costs more. */
const LOOP_COPY_MAX = 24;

/** A growing run of bytes that is written over and over: `clear` keeps the memory, or most of it. */
export class Bytes {
  buf: Buffer;
  length = 0;
  readonly #min: number;

  constructor(capacity = 1024) {
    this.#min = capacity;
    this.buf = Buffer.allocUnsafeSlow(capacity);
  }

  clear(): void {
    const kept = keptCapacity(this.buf.length, this.length, this.#min);
    if (kept < this.buf.length) this.buf = Buffer.allocUnsafeSlow(kept);
    this.length = 0;
  }

  /** What has been written; valid until the next write. */
  view(): Buffer {
    return this.buf.subarray(0, this.length);
  }

  /** Makes room for `size` more bytes. */
  reserve(size: number): void {
    const needed = this.length + size;
    if (needed <= this.buf.length) return;
    let capacity = this.buf.length * 2;
    while (capacity < needed) capacity *= 2;
    const grown = Buffer.allocUnsafeSlow(capacity);
    this.buf.copy(grown, 0, 0, this.length);
    this.buf = grown;
  }

  byte(value: number): void {
    this.reserve(1);
    this.buf[this.length++] = value;
  }

  varint(value: number): void {
    this.reserve(5);
    let rest = value;
    while (rest > 0x7f) {
      this.buf[this.length++] = (rest & 0x7f) | 0x80;
      rest >>>= 7;
    }
    this.buf[this.length++] = rest;
  }

  uint64(value: number): void {
    this.reserve(8);
    this.length = this.buf.writeUInt32LE(value >>> 0, this.length);
    this.length = this.buf.writeUInt32LE(Math.floor(value / 2 ** 32), this.length);
  }

  copy(source: Uint8Array, start: number, end: number): void {
    const size = end - start;
    this.reserve(size);
    const { buf } = this;
    let at = this.length;
    if (size <= LOOP_COPY_MAX) for (let from = start; from < end; from++) buf[at++] = source[from]!;
    else if (source instanceof Buffer) source.copy(buf, at, start, end);
    else buf.set(source.subarray(start, end), at);
    this.length += size;
  }

  /** A length-prefixed run of bytes, as ClickHouse writes a String. */
  string(source: Uint8Array, start: number, end: number): void {
    this.varint(end - start);
    this.copy(source, start, end);
  }

  /** A length-prefixed JS string; not for the hot path. */
  text(value: string): void {
    const size = Buffer.byteLength(value);
    this.varint(size);
    this.reserve(size);
    this.buf.write(value, this.length, 'utf8');
    this.length += size;
  }
}
