import { randomInt } from 'node:crypto';
import { Bytes, viewOf } from './bytes.ts';
import { KeptCapacity } from './capacity.ts';
import type { Column } from './column.ts';

const SHARED_DICTIONARIES_WITH_ADDITIONAL_KEYS = 1;
const HAS_ADDITIONAL_KEYS = 0x200;
const NEED_UPDATE_DICTIONARY = 0x400;
const HASH_FACTOR = 0x9e3779b1;
const EMPTY = new Uint8Array(0);
const IDS_MIN = 1024;
const SLOTS_MIN = 512;

/** Where hashes start. Random, so that values cannot be made to collide; no byte of a block depends on it. */
const HASH_SEED = randomInt(2 ** 32);

/**
 * LowCardinality(String), written with a dictionary of its own for each block. Values are looked up by their bytes, so a
 * value that has been seen costs no string. The id of a value holds until `clear`.
 */
export class LowCardinalityColumn implements Column {
  readonly type = 'LowCardinality(String)';
  rows = 0;
  readonly #keptIds = new KeptCapacity(IDS_MIN);
  readonly #keptSlots = new KeptCapacity(SLOTS_MIN);
  #ids = new Uint32Array(IDS_MIN);
  readonly #keys = new Bytes(4 * 1024);
  /** Start of each key's bytes in `#keys`; its end is in the next array. */
  #starts = new Uint32Array(256);
  #ends = new Uint32Array(256);
  #hashes = new Uint32Array(256);
  #count = 0;
  #slots = new Int32Array(SLOTS_MIN).fill(-1);
  /** Where the last value was looked up from; mostly the next one is there too. */
  #source: Uint8Array = EMPTY;
  #sourceView: DataView = viewOf(EMPTY);

  get bytes(): number {
    return this.#keys.length + this.rows * (this.#count <= 0x100 ? 1 : this.#count <= 0x1_0000 ? 2 : 4);
  }

  /** Id of the value, a new one where it has not been seen. `guess` is tried first: an id, or -1. */
  intern(source: Uint8Array, start: number, end: number, guess = -1): number {
    if (source !== this.#source) {
      this.#source = source;
      this.#sourceView = viewOf(source);
    }
    if (guess >= 0 && guess < this.#count && this.#equals(guess, source, start, end)) return guess;
    const hash = this.#hash(source, start, end);
    const mask = this.#slots.length - 1;
    let slot = hash & mask;
    for (let id = this.#slots[slot]!; id >= 0; id = this.#slots[slot]!) {
      if (this.#hashes[id] === hash && this.#equals(id, source, start, end)) return id;
      slot = (slot + 1) & mask;
    }
    return this.#add(source, start, end, hash, slot);
  }

  pushId(id: number): void {
    if (this.rows === this.#ids.length) {
      const grown = new Uint32Array(this.rows * 2);
      grown.set(this.#ids);
      this.#ids = grown;
    }
    this.#ids[this.rows++] = id;
  }

  /** The last `rows` rows, so many times more. */
  repeatLast(rows: number, times: number): void {
    const from = this.rows - rows;
    const end = this.rows + rows * times;
    if (end > this.#ids.length) {
      const grown = new Uint32Array(Math.max(end, this.#ids.length * 2));
      grown.set(this.#ids);
      this.#ids = grown;
    }
    for (let at = this.rows; at < end; at++) this.#ids[at] = this.#ids[at - rows]!;
    this.rows = from + rows * (times + 1);
  }

  /** Id in a row that has been pushed. */
  idAt(row: number): number {
    return this.#ids[row]!;
  }

  /** Puts another value into a row that has been pushed. */
  replaceId(row: number, id: number): void {
    this.#ids[row] = id;
  }

  push(source: Uint8Array, start: number, end: number): void {
    this.pushId(this.intern(source, start, end));
  }

  writePrefix(out: Bytes): void {
    out.uint64(SHARED_DICTIONARIES_WITH_ADDITIONAL_KEYS);
  }

  writeData(out: Bytes): void {
    if (this.rows === 0) return;
    const width = this.#count <= 0x100 ? 0 : this.#count <= 0x1_0000 ? 1 : 2;
    out.uint64(HAS_ADDITIONAL_KEYS | NEED_UPDATE_DICTIONARY | width);
    out.uint64(this.#count);
    for (let id = 0; id < this.#count; id++) out.string(this.#keys.buf, this.#starts[id]!, this.#ends[id]!);
    out.uint64(this.rows);
    const ids = this.#ids.subarray(0, this.rows);
    const narrow = width === 0 ? Uint8Array.from(ids) : width === 1 ? Uint16Array.from(ids) : ids;
    out.copy(Buffer.from(narrow.buffer, narrow.byteOffset, narrow.byteLength), 0, narrow.byteLength);
  }

  clear(): void {
    const ids = this.#keptIds.after(this.#ids.length, this.rows);
    if (ids < this.#ids.length) this.#ids = new Uint32Array(ids);
    const slots = this.#keptSlots.after(this.#slots.length, this.#count * 2);
    if (slots < this.#slots.length) {
      this.#slots = new Int32Array(slots).fill(-1);
      this.#resizeKeys(slots / 2);
    } else if (this.#count > 0) this.#slots.fill(-1);
    this.rows = 0;
    this.#count = 0;
    this.#source = EMPTY;
    this.#sourceView = viewOf(EMPTY);
    this.#keys.clear();
  }

  /** Compares by words; the last word overlaps the one before. */
  #equals(id: number, source: Uint8Array, start: number, end: number): boolean {
    const at = this.#starts[id]!;
    const size = end - start;
    if (this.#ends[id]! - at !== size) return false;
    if (size < 4) {
      const { buf } = this.#keys;
      for (let i = 0; i < size; i++) if (buf[at + i] !== source[start + i]) return false;
      return true;
    }
    const keys = this.#keys.view;
    const values = this.#sourceView;
    const last = size - 4;
    for (let i = 0; i < last; i += 4) if (keys.getInt32(at + i) !== values.getInt32(start + i)) return false;
    return keys.getInt32(at + last) === values.getInt32(start + last);
  }

  #hash(source: Uint8Array, start: number, end: number): number {
    const size = end - start;
    let hash = HASH_SEED ^ size;
    if (size < 4) for (let at = start; at < end; at++) hash = mixed(hash, source[at]!);
    else {
      const values = this.#sourceView;
      const last = end - 4;
      for (let at = start; at < last; at += 4) hash = mixed(hash, values.getInt32(at));
      hash = mixed(hash, values.getInt32(last));
    }
    hash = Math.imul(hash ^ (hash >>> 15), HASH_FACTOR);
    return (hash ^ (hash >>> 13)) >>> 0;
  }

  #add(source: Uint8Array, start: number, end: number, hash: number, slot: number): number {
    const id = this.#count++;
    if (id === this.#starts.length) this.#resizeKeys(id * 2);
    this.#starts[id] = this.#keys.length;
    this.#keys.copy(source, start, end);
    this.#ends[id] = this.#keys.length;
    this.#hashes[id] = hash;
    this.#slots[slot] = id;
    if (this.#count * 2 > this.#slots.length) this.#rehash();
    return id;
  }

  #resizeKeys(capacity: number): void {
    const resized = (array: Uint32Array<ArrayBuffer>) => {
      const next = new Uint32Array(capacity);
      next.set(array.subarray(0, Math.min(array.length, capacity)));
      return next;
    };
    this.#starts = resized(this.#starts);
    this.#ends = resized(this.#ends);
    this.#hashes = resized(this.#hashes);
  }

  #rehash(): void {
    const slots = new Int32Array(this.#slots.length * 2).fill(-1);
    const mask = slots.length - 1;
    for (let id = 0; id < this.#count; id++) {
      let slot = this.#hashes[id]! & mask;
      while (slots[slot]! >= 0) slot = (slot + 1) & mask;
      slots[slot] = id;
    }
    this.#slots = slots;
  }
}

function mixed(hash: number, word: number): number {
  const product = Math.imul(hash ^ word, HASH_FACTOR);
  return (product << 13) | (product >>> 19);
}
