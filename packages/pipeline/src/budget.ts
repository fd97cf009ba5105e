import { InvariantError } from './errors.ts';

/** Upper bounds of a queue. Both hold at once. */
export interface BudgetLimits {
  readonly bytesMax: number;
  readonly itemsMax: number;
}

/**
 * The bound of a queue, in bytes and in items: taken before something is queued, given back when it left.
 * It never waits: where there is no room, `tryTake` is false and the caller refuses.
 */
export class Budget {
  readonly limits: BudgetLimits;
  #bytes = 0;
  #items = 0;

  constructor(limits: BudgetLimits) {
    this.limits = limits;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get items(): number {
    return this.#items;
  }

  /** How full, 0 to 1: the greater of both ratios. */
  get fill(): number {
    return Math.max(this.#bytes / this.limits.bytesMax, this.#items / this.limits.itemsMax);
  }

  /** How full it is by what others hold: without an entry that has taken `bytes` and no items. */
  fillBeside(bytes: number): number {
    return Math.max((this.#bytes - bytes) / this.limits.bytesMax, this.#items / this.limits.itemsMax);
  }

  /** Takes room for one entry, or takes nothing and returns false. */
  tryTake(bytes: number, items: number): boolean {
    if (this.#bytes + bytes > this.limits.bytesMax || this.#items + items > this.limits.itemsMax) return false;
    this.#bytes += bytes;
    this.#items += items;
    return true;
  }

  /** Gives back exactly what was taken. @throws InvariantError when more comes back than was taken */
  give(bytes: number, items: number): void {
    this.#bytes -= bytes;
    this.#items -= items;
    if (this.#bytes < 0 || this.#items < 0) throw new InvariantError('a budget was given back more than was taken');
  }
}
