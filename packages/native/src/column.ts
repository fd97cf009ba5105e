import { Bytes } from './bytes.ts';
import { KeptCapacity } from './capacity.ts';

/**
 * A column of a Native block. Rows are pushed by the methods of each kind. Memory is kept from block to block, and given
 * back step by step once it is far more than is used.
 */
export interface Column {
  /** ClickHouse's name of the type. */
  readonly type: string;
  readonly rows: number;
  /** About how many bytes the rows take in a block. */
  readonly bytes: number;
  /** The type's state, which Native writes before any data. */
  writePrefix(out: Bytes): void;
  writeData(out: Bytes): void;
  clear(): void;
}

const WORDS_MIN = 2048;
const VALUES_MIN = 1024;

/** 8-byte values: UInt64, Int64, DateTime64(9), Float64. Pushed as two halves or as a float. */
export class Column64 implements Column {
  readonly type: string;
  rows = 0;
  readonly #kept = new KeptCapacity(WORDS_MIN);
  #words = new Uint32Array(WORDS_MIN);
  #floats = new Float64Array(this.#words.buffer);

  constructor(type: string) {
    this.type = type;
  }

  get bytes(): number {
    return this.rows * 8;
  }

  push(lo: number, hi: number): void {
    if (this.rows * 2 === this.#words.length) this.#grow();
    this.#words[this.rows * 2] = lo;
    this.#words[this.rows * 2 + 1] = hi;
    this.rows++;
  }

  pushFloat(value: number): void {
    if (this.rows * 2 === this.#words.length) this.#grow();
    this.#floats[this.rows++] = value;
  }

  /** So many rows more of the last value. */
  repeatLast(times: number): void {
    const lo = this.#words[this.rows * 2 - 2]!;
    const hi = this.#words[this.rows * 2 - 1]!;
    for (let i = 0; i < times; i++) this.push(lo, hi);
  }

  /** A whole number from -2^53 to 2^53; a negative one only where the type has a sign. */
  pushWhole(value: number): void {
    this.push(value >>> 0, Math.floor(value / 2 ** 32));
  }

  writePrefix(): void {}

  writeData(out: Bytes): void {
    out.copy(Buffer.from(this.#words.buffer), 0, this.rows * 8);
  }

  clear(): void {
    const kept = this.#kept.after(this.#words.length, this.rows * 2);
    if (kept < this.#words.length) this.#resize(new Uint32Array(kept));
    this.rows = 0;
  }

  #grow(): void {
    const grown = new Uint32Array(this.#words.length * 2);
    grown.set(this.#words);
    this.#resize(grown);
  }

  #resize(words: Uint32Array<ArrayBuffer>): void {
    this.#words = words;
    this.#floats = new Float64Array(words.buffer);
  }
}

type Words = Uint8Array | Uint16Array | Int32Array | Uint32Array;

/** Values of 1, 2 or 4 bytes. A Date is its days since the epoch, a DateTime its seconds. */
export class SmallColumn implements Column {
  readonly type: string;
  rows = 0;
  readonly #kept = new KeptCapacity(VALUES_MIN);
  #values: Words;
  readonly #make: (size: number) => Words;

  constructor(type: keyof typeof SMALL) {
    this.type = type;
    this.#make = SMALL[type];
    this.#values = this.#make(VALUES_MIN);
  }

  get bytes(): number {
    return this.rows * this.#values.BYTES_PER_ELEMENT;
  }

  push(value: number): void {
    if (this.rows === this.#values.length) {
      const grown = this.#make(this.rows * 2);
      grown.set(this.#values);
      this.#values = grown;
    }
    this.#values[this.rows++] = value;
  }

  /** So many rows more of the last value. */
  repeatLast(times: number): void {
    const value = this.#values[this.rows - 1]!;
    for (let i = 0; i < times; i++) this.push(value);
  }

  writePrefix(): void {}

  writeData(out: Bytes): void {
    out.copy(Buffer.from(this.#values.buffer), 0, this.rows * this.#values.BYTES_PER_ELEMENT);
  }

  clear(): void {
    const kept = this.#kept.after(this.#values.length, this.rows);
    if (kept < this.#values.length) this.#values = this.#make(kept);
    this.rows = 0;
  }
}

const SMALL = {
  UInt8: (size: number) => new Uint8Array(size),
  Bool: (size: number) => new Uint8Array(size),
  UInt16: (size: number) => new Uint16Array(size),
  Date: (size: number) => new Uint16Array(size),
  Int32: (size: number) => new Int32Array(size),
  UInt32: (size: number) => new Uint32Array(size),
  DateTime: (size: number) => new Uint32Array(size),
};

/** String: each row a length and its bytes. */
export class StringColumn implements Column {
  readonly type = 'String';
  rows = 0;
  /** The encoded rows. */
  readonly data = new Bytes(16 * 1024);

  get bytes(): number {
    return this.data.length;
  }

  push(source: Uint8Array, start: number, end: number): void {
    this.data.string(source, start, end);
    this.rows++;
  }

  pushEmpty(): void {
    this.data.byte(0);
    this.rows++;
  }

  /** A JS string; not for the hot path. */
  pushText(value: string): void {
    this.data.text(value);
    this.rows++;
  }

  /** A whole number from 0 to 2^32 - 1, in decimal. */
  pushDecimal(value: number): void {
    let digits = 1;
    for (let limit = 10; value >= limit; limit *= 10) digits++;
    const { data } = this;
    data.byte(digits);
    data.reserve(digits);
    let rest = value;
    for (let at = data.length + digits - 1; at >= data.length; at--) {
      const tenth = Math.floor(rest / 10);
      data.buf[at] = 0x30 + rest - tenth * 10;
      rest = tenth;
    }
    data.length += digits;
    this.rows++;
  }

  /** The last `rows` rows, which take so many bytes, so many times more. */
  repeatLast(rows: number, bytes: number, times: number): void {
    this.data.repeat(this.data.length - bytes, times);
    this.rows += rows * times;
  }

  /** A row with its length, which is of no more bytes than it needs. */
  pushEncoded(source: Uint8Array, start: number, end: number): void {
    this.data.copy(source, start, end);
    this.rows++;
  }

  writePrefix(): void {}

  writeData(out: Bytes): void {
    out.copy(this.data.buf, 0, this.data.length);
  }

  clear(): void {
    this.rows = 0;
    this.data.clear();
  }
}
