import { KeptCapacity } from './capacity.ts';

/** Runs shorter than this are copied by words: the call of a native copy costs more. */
const WORD_COPY_MAX = 96;

const EMPTY = new Uint8Array(0);

/** A view of all of a run of bytes. */
export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** A growing run of bytes that is written over and over: `clear` keeps the memory, or most of it. */
export class Bytes {
  buf: Buffer;
  /** The same memory as `buf`, for reading and writing words. */
  view: DataView;
  length = 0;
  readonly #kept: KeptCapacity;
  /** The last source of a copy; it is mostly the next one's too. */
  #source: Uint8Array = EMPTY;
  #sourceView: DataView = viewOf(EMPTY);

  constructor(capacity = 1024) {
    this.#kept = new KeptCapacity(capacity);
    this.buf = Buffer.allocUnsafeSlow(capacity);
    this.view = viewOf(this.buf);
  }

  clear(): void {
    const kept = this.#kept.after(this.buf.length, this.length);
    if (kept < this.buf.length) this.#replace(Buffer.allocUnsafeSlow(kept));
    this.length = 0;
    if (this.#source !== EMPTY) {
      this.#source = EMPTY;
      this.#sourceView = viewOf(EMPTY);
    }
  }

  /** What has been written; valid until the next write. */
  written(): Buffer {
    return this.buf.subarray(0, this.length);
  }

  /** Makes room for `size` more bytes. */
  reserve(size: number): void {
    if (this.length + size > this.buf.length) this.#grow(this.length + size);
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
    const at = this.length;
    this.length = at + size;
    if (size >= WORD_COPY_MAX) {
      if (source instanceof Buffer) source.copy(this.buf, at, start, end);
      else this.buf.set(source.subarray(start, end), at);
    } else if (size >= 8) this.#copyWords(source, start, size, at);
    else for (let i = 0; i < size; i++) this.buf[at + i] = source[start + i]!;
  }

  /** What was written from `from` on, so many times more. */
  repeat(from: number, times: number): void {
    const size = this.length - from;
    const all = size * times;
    this.reserve(all);
    const end = this.length + all;
    // Each copy is of all that there is.
    for (let at = this.length; at < end; at = this.length) {
      const next = Math.min(at - from, end - at);
      this.buf.copyWithin(at, from, from + next);
      this.length = at + next;
    }
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

  /** 8 bytes at a time; the last word overlaps the one before. */
  #copyWords(source: Uint8Array, start: number, size: number, at: number): void {
    if (source !== this.#source) {
      this.#source = source;
      this.#sourceView = viewOf(source);
    }
    const from = this.#sourceView;
    const { view } = this;
    const last = size - 8;
    for (let i = 0; i < last; i += 8) view.setBigUint64(at + i, from.getBigUint64(start + i));
    view.setBigUint64(at + last, from.getBigUint64(start + last));
  }

  #grow(needed: number): void {
    let capacity = this.buf.length * 2;
    while (capacity < needed) capacity *= 2;
    const grown = Buffer.allocUnsafeSlow(capacity);
    this.buf.copy(grown, 0, 0, this.length);
    this.#replace(grown);
  }

  #replace(buf: Buffer): void {
    this.buf = buf;
    this.view = viewOf(buf);
  }
}
