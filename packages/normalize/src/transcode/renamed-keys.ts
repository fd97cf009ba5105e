import type { LowCardinalityColumn } from '@weir/native';
import type { Renames, WireReader } from '@weir/otlp';
import { textOf } from './any-value.ts';

const UNKNOWN = -1;

/** How many names were brought up to date. */
export interface RenameCount {
  names: number;
}

/**
 * Pushes attribute names that semantic conventions have renamed, under their names of today. What a name becomes is looked up
 * once a block: after that it is one number for another. Where an item has the new name already, the old one stays beside it.
 */
export class RenamedKeys {
  readonly #keys: LowCardinalityColumn;
  /** For each table of renames: by the id of the name that was sent, the id of that of today. */
  readonly #ids = new Map<Renames, number[]>();
  /** The rows of the present item that were renamed, and the ids that were sent. */
  readonly #rows: number[] = [];
  readonly #sent: number[] = [];
  /** Whether the item has a name more than once, by its id. */
  readonly #twice = new Map<number, boolean>();
  #from = 0;

  constructor(keys: LowCardinalityColumn) {
    this.#keys = keys;
  }

  /** Begins an item. */
  begin(): void {
    this.#from = this.#keys.rows;
  }

  push(sent: number, renames: Renames, reader: WireReader, start: number, end: number): void {
    let ids = this.#ids.get(renames);
    if (ids === undefined) {
      ids = [];
      this.#ids.set(renames, ids);
    }
    while (ids.length <= sent) ids.push(UNKNOWN);
    if (ids[sent] === UNKNOWN) ids[sent] = this.#today(sent, renames, textOf(reader, start, end));
    const today = ids[sent]!;
    if (today !== sent) {
      this.#rows.push(this.#keys.rows);
      this.#sent.push(sent);
    }
    this.#keys.pushId(today);
  }

  #today(sent: number, renames: Renames, text: string): number {
    const name = renames.get(text);
    if (name === undefined) return sent;
    const bytes = Buffer.from(name);
    return this.#keys.intern(bytes, 0, bytes.length);
  }

  /** Ends an item. */
  end(count: RenameCount): void {
    if (this.#rows.length === 0) return;
    for (const row of this.#rows) {
      const id = this.#keys.idAt(row);
      if (!this.#twice.has(id)) this.#twice.set(id, this.#isTwice(id));
    }
    for (const [at, row] of this.#rows.entries()) {
      if (this.#twice.get(this.#keys.idAt(row)) === true) this.#keys.replaceId(row, this.#sent[at]!);
      else count.names++;
    }
    this.#rows.length = 0;
    this.#sent.length = 0;
    this.#twice.clear();
  }

  /** Once for each name of today that an item has, of which there are few: not for each of its attributes. */
  #isTwice(id: number): boolean {
    let found = 0;
    for (let row = this.#from; row < this.#keys.rows && found < 2; row++) if (this.#keys.idAt(row) === id) found++;
    return found > 1;
  }

  /** To be called with the column's own clear. */
  clear(): void {
    this.#ids.clear();
    this.#rows.length = 0;
    this.#sent.length = 0;
    this.#twice.clear();
  }
}
