import type { Clock } from '@weir/pipeline';

interface Event {
  readonly atMs: number;
  readonly order: number;
  run(): void;
}

/** A seeded generator of numbers in [0, 1): mulberry32. */
export function createRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Time that passes only by {@link VirtualTime.run}: the same seed gives the same run, to the last interleaving. */
export class VirtualTime implements Clock {
  readonly random: () => number;
  #nowMs = 0;
  #events: Event[] = [];

  constructor(seed: number) {
    this.random = createRandom(seed);
  }

  nowMs(): number {
    return this.#nowMs;
  }

  wallNs(): bigint {
    return 1_700_000_000_000_000_000n + BigInt(Math.round(this.#nowMs * 1e6));
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted === true) return reject(signal.reason);
      this.at(ms, () => resolve());
      signal?.addEventListener('abort', () => reject(signal.reason), { once: true });
    });
  }

  /** Runs something after `ms`. */
  at(ms: number, run: () => void): void {
    this.#events.push({ atMs: this.#nowMs + ms, order: this.random(), run });
  }

  /** Lets time pass until `untilMs`, or until `done` says so. */
  async run(untilMs: number, done: () => boolean = () => false): Promise<void> {
    while (!done()) {
      let first: Event | undefined;
      for (const event of this.#events) {
        if (first === undefined || event.atMs < first.atMs || (event.atMs === first.atMs && event.order < first.order))
          first = event;
      }
      if (first === undefined || first.atMs > untilMs) return;
      this.#events = this.#events.filter((event) => event !== first);
      this.#nowMs = first.atMs;
      first.run();
      // Everything that follows from the event happens before the next one.
      for (let turn = 0; turn < 25; turn++) await Promise.resolve();
    }
  }
}
