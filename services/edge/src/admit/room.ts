import { Budget, type BudgetLimits, type Clock } from '@weir/pipeline';

/** How long, and beside how many others, an entry waits for room. */
export interface RoomOptions extends BudgetLimits {
  readonly waitMs: number;
  readonly waitingMax: number;
}

interface Waiting {
  readonly bytes: number;
  readonly admit: () => void;
}

/** A budget that is waited for: entries get in in the order in which they came, or not at all after a while. */
export class Room {
  readonly #budget: Budget;
  readonly #clock: Clock;
  readonly #options: RoomOptions;
  readonly #waiting: Waiting[] = [];

  constructor(clock: Clock, options: RoomOptions) {
    this.#clock = clock;
    this.#options = options;
    this.#budget = new Budget(options);
  }

  /** Takes room for one entry; false, with nothing taken, where there was none in time or too many wait. */
  take(bytes: number): Promise<boolean> {
    if (this.#waiting.length === 0 && this.#budget.tryTake(bytes, 1)) return Promise.resolve(true);
    if (this.#waiting.length >= this.#options.waitingMax) return Promise.resolve(false);
    return new Promise((resolve) => {
      const admitted = new AbortController();
      const entry: Waiting = {
        bytes,
        admit: () => {
          admitted.abort();
          resolve(true);
        },
      };
      this.#waiting.push(entry);
      const late = () => {
        this.#waiting.splice(this.#waiting.indexOf(entry), 1);
        resolve(false);
        this.#admit();
      };
      this.#clock.sleep(this.#options.waitMs, admitted.signal).then(late, () => undefined);
    });
  }

  /** Gives back what one entry took. */
  give(bytes: number): void {
    this.#budget.give(bytes, 1);
    this.#admit();
  }

  #admit(): void {
    for (let first = this.#waiting[0]; first !== undefined; first = this.#waiting[0]) {
      if (!this.#budget.tryTake(first.bytes, 1)) return;
      this.#waiting.shift();
      first.admit();
    }
  }
}
