import type { LowCardinalityColumn } from '@weir/native';

/** Pushes the names of an enum's values; each is looked up once a block. A value that has no name gets the first. */
export class NameWriter {
  readonly column: LowCardinalityColumn;
  readonly #names: readonly Buffer[];
  readonly #ids: Int32Array;

  constructor(column: LowCardinalityColumn, names: readonly string[]) {
    this.column = column;
    this.#names = names.map((name) => Buffer.from(name));
    this.#ids = new Int32Array(names.length).fill(-1);
  }

  push(value: number): void {
    const index = value < this.#names.length ? value : 0;
    let id = this.#ids[index]!;
    if (id < 0) {
      const name = this.#names[index]!;
      id = this.column.intern(name, 0, name.length);
      this.#ids[index] = id;
    }
    this.column.pushId(id);
  }

  /** To be called with the column's own clear. */
  clear(): void {
    this.#ids.fill(-1);
  }
}
