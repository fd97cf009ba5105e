import type { LogPage } from '@weir/delivery';

const READ_WAIT_MS = 500;
/** Reads in turn that may bring nothing, before their offset is passed. */
const EMPTY_MAX = 10;

/**
 * Where to read on in a compacted topic. Where compaction has left nothing, a read may bring nothing though there are records
 * behind; but a broker that has much else to send may do so as well. So an offset is passed only once it has brought nothing time
 * and again, and by one, never by a guess at what is behind.
 */
export class ReadPlace {
  /** How long a read should wait. */
  readonly waitMs = READ_WAIT_MS;
  #offset: number;
  #empty = 0;

  constructor(offset: number) {
    this.#offset = offset;
  }

  get offset(): number {
    return this.#offset;
  }

  /** Moves behind a page that was read at `offset`. */
  move({ nextOffset, endOffset }: LogPage): void {
    const isStuck = nextOffset <= this.#offset && this.#offset < endOffset;
    this.#empty = isStuck ? this.#empty + 1 : 0;
    if (!isStuck) this.#offset = nextOffset;
    else if (this.#empty > EMPTY_MAX) {
      this.#offset++;
      this.#empty = 0;
    }
  }
}
