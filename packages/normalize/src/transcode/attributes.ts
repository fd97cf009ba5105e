import type { MapColumn } from '@weir/native';
import type { Renames, WireReader } from '@weir/otlp';
import { pushAnyValue } from './any-value.ts';
import { type RenameCount, RenamedKeys } from './renamed-keys.ts';

const KEY = (1 << 3) | 2;
const VALUE = (2 << 3) | 2;
const GUESSES = 64;
/** Two tags and two lengths. */
const SHORTEST = 4;

/**
 * Pushes KeyValues to a map column. Exports repeat their keys in the same places, so the id that a place had last time
 * is tried before the dictionary is searched.
 */
export class AttributeWriter {
  readonly column: MapColumn;
  #renames: Renames | undefined;
  #renameCount: RenameCount = { names: 0 };
  readonly #guesses = new Int32Array(GUESSES).fill(-1);
  readonly #renamed: RenamedKeys;
  #place = 0;

  constructor(column: MapColumn) {
    this.column = column;
    this.#renamed = new RenamedKeys(column.keys);
  }

  /** Names that are brought up to date from here on; undefined: they stay as they are sent. */
  rename(renames: Renames | undefined, count: RenameCount): void {
    this.#renames = renames;
    this.#renameCount = count;
  }

  /** Pushes the KeyValue up to `end`; the reader stands at its first byte. False once the reader has a fault. */
  pushKeyValue(reader: WireReader, end: number): boolean {
    const { buf, pos } = reader;
    let keyStart = 0;
    let keyEnd = 0;
    let valueStart = 0;
    let valueEnd = -1;
    // A short key and a short value, as nearly every one: what stands where is known from two lengths. Nothing is read past the
    // end: an array that is read there once may be read more slowly ever after.
    const second = end - pos >= SHORTEST ? pos + 2 + buf[pos + 1]! : end;
    if (
      second <= end - 2 &&
      second + 2 + buf[second + 1]! === end &&
      ((buf[pos + 1]! | buf[second + 1]!) & 0x80) === 0 &&
      buf[pos] === KEY &&
      buf[second] === VALUE
    ) {
      keyStart = pos + 2;
      keyEnd = second;
      valueStart = second + 2;
      valueEnd = end;
      reader.pos = end;
    }
    while (reader.pos < end) {
      const tag = reader.tag(end);
      if (tag < 0) return false;
      if (tag !== KEY && tag !== VALUE) {
        if (!reader.skip(tag & 7, end)) return false;
        continue;
      }
      const stop = reader.length(end);
      if (stop < 0) return false;
      if (tag === KEY) {
        keyStart = reader.pos;
        keyEnd = stop;
      } else {
        valueStart = reader.pos;
        valueEnd = stop;
      }
      reader.pos = stop;
    }
    if (this.#place === 0) this.#renamed.begin();
    const place = this.#place++ & (GUESSES - 1);
    const id = this.column.keys.intern(reader.buf, keyStart, keyEnd, this.#guesses[place]);
    this.#guesses[place] = id;
    if (this.#renames === undefined) this.column.keys.pushId(id);
    else this.#renamed.push(id, this.#renames, reader, keyStart, keyEnd);
    if (valueEnd < 0) this.column.values.pushEmpty();
    else {
      reader.pos = valueStart;
      if (!pushAnyValue(reader, valueEnd, this.column.values)) return false;
      reader.pos = end;
    }
    return true;
  }

  /** Pushes one pair of texts; not for the hot path. */
  pushText(key: string, value: string): void {
    const bytes = Buffer.from(key);
    this.column.keys.push(bytes, 0, bytes.length);
    this.column.values.pushText(value);
  }

  /** Ends the row. */
  end(): void {
    this.#renamed.end(this.#renameCount);
    this.column.end();
    this.#place = 0;
  }

  clear(): void {
    this.#renamed.clear();
    this.#guesses.fill(-1);
    this.#place = 0;
  }
}

/** The attributes of a resource or scope in one table's map column, encoded once for all rows in a row that share them. */
export class RepeatedAttributes {
  readonly #column: MapColumn;
  readonly #writer: AttributeWriter;
  /** What the last row has. */
  #pairs = 0;
  #valueBytes = 0;

  constructor(column: MapColumn) {
    this.#column = column;
    this.#writer = new AttributeWriter(column);
  }

  /** As {@link AttributeWriter.rename}. */
  rename(renames: Renames | undefined, count: RenameCount): void {
    this.#writer.rename(renames, count);
  }

  /** Pushes a row of the KeyValues in field `field` of the message [start, end). */
  push(reader: WireReader, start: number, end: number, field: number): boolean {
    const { keys, values } = this.#column;
    const valuesAt = values.data.length;
    const keysAt = keys.rows;
    const back = reader.pos;
    reader.pos = start;
    while (reader.pos < end) {
      const tag = reader.tag(end);
      if (tag < 0) return false;
      if (tag !== ((field << 3) | 2)) {
        if (!reader.skip(tag & 7, end)) return false;
        continue;
      }
      const stop = reader.length(end);
      if (stop < 0 || !this.#writer.pushKeyValue(reader, stop)) return false;
    }
    reader.pos = back;
    this.#writer.end();
    this.#pairs = keys.rows - keysAt;
    this.#valueBytes = values.data.length - valuesAt;
    return true;
  }

  /** Pushes the last row so many times more. */
  repeat(times: number): void {
    this.#column.repeatLast(this.#pairs, this.#valueBytes, times);
  }

  clear(): void {
    this.#writer.clear();
  }
}
