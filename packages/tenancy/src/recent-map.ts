/**
 * A map that holds at most so many entries and lets go of those that have not been asked for the longest. It keeps two halves:
 * what is asked for moves to the newer one, and when that is full it becomes the older one, whose entries go.
 */
export class RecentMap<V> {
  readonly #halfMax: number;
  #newer = new Map<string, V>();
  #older = new Map<string, V>();

  /** @param max entries, at least two */
  constructor(max: number) {
    this.#halfMax = Math.max(1, Math.floor(max / 2));
  }

  get size(): number {
    return this.#newer.size + this.#older.size;
  }

  get(key: string): V | undefined {
    const found = this.#newer.get(key);
    if (found !== undefined) return found;
    const value = this.#older.get(key);
    if (value === undefined) return undefined;
    this.set(key, value);
    return value;
  }

  set(key: string, value: V): void {
    this.#older.delete(key);
    if (!this.#newer.has(key) && this.#newer.size >= this.#halfMax) {
      this.#older = this.#newer;
      this.#newer = new Map();
    }
    this.#newer.set(key, value);
  }

  delete(key: string): void {
    this.#newer.delete(key);
    this.#older.delete(key);
  }

  *entries(): Generator<[string, V]> {
    yield* this.#older;
    yield* this.#newer;
  }
}
