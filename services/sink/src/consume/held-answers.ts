import { freeBytes } from '@weir/pipeline';

/**
 * What Kafka answered, each answer one piece of memory that its records are parts of, of all partitions of a sink. It is given back
 * once the last of them that somebody holds is stored: the collector would find it later, and what it has not found counts.
 */
export class HeldAnswers {
  readonly #records = new WeakMap<ArrayBufferLike, number>();

  /** To be called for each record as soon as it is read, before any of the same answer may be stored. */
  hold(value: Buffer): void {
    if (value.length === 0) return;
    this.#records.set(value.buffer, (this.#records.get(value.buffer) ?? 0) + 1);
  }

  /** A record that was held is stored: its bytes may be gone afterwards. */
  release(value: Buffer): void {
    const held = this.#records.get(value.buffer);
    if (value.length === 0 || held === undefined) return;
    if (held > 1) {
      this.#records.set(value.buffer, held - 1);
      return;
    }
    this.#records.delete(value.buffer);
    freeBytes(value);
  }
}
