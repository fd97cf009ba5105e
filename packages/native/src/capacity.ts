/** So many blocks in a row must need little before memory is given back: a small block between large ones must not cost the next its growth. */
const BLOCKS = 16;
/** What is larger than this, in bytes or values, and was used for less than a sixteenth, is given back step by step at once. */
const LARGE = 2 ** 21;

/**
 * The capacity to go on with after each block: half of what there is where for a while less than a quarter of it was used, so that one
 * large block does not hold its memory for ever, and what varies from block to block is not given back and asked for again.
 */
export class KeptCapacity {
  readonly #min: number;
  #small = 0;

  constructor(min: number) {
    this.#min = min;
  }

  after(capacity: number, used: number): number {
    if (capacity <= this.#min || used >= capacity / 4) this.#small = 0;
    else this.#small++;
    const large = capacity > LARGE && used < capacity / 16;
    if (this.#small < BLOCKS && !large) return capacity;
    this.#small = 0;
    return Math.max(this.#min, capacity / 2);
  }
}
