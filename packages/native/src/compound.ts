import { invariant } from '@weir/pipeline';
import type { Bytes } from './bytes.ts';
import { type Column, Column64, StringColumn } from './column.ts';
import { LowCardinalityColumn } from './low-cardinality.ts';

/** Array(T): push the elements to `items`, then close the row. */
export class ArrayColumn<T extends Column> implements Column {
  readonly type: string;
  readonly items: T;
  readonly #offsets: Column64;
  readonly #like: ArrayColumn<Column> | undefined;

  /** @param like its rows end where those of that column end, by the `end` of that column alone: of what is nested, all have as many items */
  constructor(items: T, like?: ArrayColumn<Column>) {
    this.items = items;
    this.#offsets = like === undefined ? new Column64('UInt64') : like.#offsets;
    this.#like = like;
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
    const nested = this.#like?.items.rows ?? this.items.rows;
    invariant(nested === this.items.rows, 'what is nested together has as many items');
    this.#offsets.writeData(out);
    this.items.writeData(out);
  }

  clear(): void {
    if (this.#like === undefined) this.#offsets.clear();
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

  /** The last row, of so many pairs and bytes of values, so many times more. */
  repeatLast(pairs: number, valueBytes: number, times: number): void {
    const before = this.keys.rows;
    this.keys.repeatLast(pairs, times);
    this.values.repeatLast(pairs, valueBytes, times);
    for (let i = 1; i <= times; i++) this.#offsets.push(before + pairs * i, 0);
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
