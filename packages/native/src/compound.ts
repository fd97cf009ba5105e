import type { Bytes } from './bytes.ts';
import { type Column, Column64, StringColumn } from './column.ts';
import { LowCardinalityColumn } from './low-cardinality.ts';

/** Array(T): push the elements to `items`, then close the row. */
export class ArrayColumn<T extends Column> implements Column {
  readonly type: string;
  readonly items: T;
  readonly #offsets = new Column64('UInt64');

  constructor(items: T) {
    this.items = items;
    this.type = `Array(${items.type})`;
  }

  get rows(): number {
    return this.#offsets.rows;
  }

  get bytes(): number {
    return this.#offsets.bytes + this.items.bytes;
  }

  /** Ends the row: everything pushed to `items` since the last end is its. */
  end(): void {
    this.#offsets.push(this.items.rows, 0);
  }

  writePrefix(out: Bytes): void {
    this.items.writePrefix(out);
  }

  writeData(out: Bytes): void {
    this.#offsets.writeData(out);
    this.items.writeData(out);
  }

  clear(): void {
    this.#offsets.clear();
    this.items.clear();
  }
}

/** Map(LowCardinality(String), String): push keys and values in step, then close the row. */
export class MapColumn implements Column {
  readonly type = 'Map(LowCardinality(String), String)';
  readonly keys = new LowCardinalityColumn();
  readonly values = new StringColumn();
  readonly #offsets = new Column64('UInt64');

  get rows(): number {
    return this.#offsets.rows;
  }

  get bytes(): number {
    return this.#offsets.bytes + this.keys.bytes + this.values.bytes;
  }

  /** Ends the row: every pair pushed since the last end is its. */
  end(): void {
    this.#offsets.push(this.keys.rows, 0);
  }

  writePrefix(out: Bytes): void {
    this.keys.writePrefix(out);
  }

  writeData(out: Bytes): void {
    this.#offsets.writeData(out);
    this.keys.writeData(out);
    this.values.writeData(out);
  }

  clear(): void {
    this.#offsets.clear();
    this.keys.clear();
    this.values.clear();
  }
}
