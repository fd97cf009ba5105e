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
  /** A binary heap. */
  readonly #events: Event[] = [];

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
      const onAbort = () => reject(signal?.reason);
      signal?.addEventListener('abort', onAbort, { once: true });
      this.at(ms, () => {
        // A signal that lives long would gather listeners otherwise, and adding one looks at them all.
        signal?.removeEventListener('abort', onAbort);
        resolve();
      });
    });
  }

  /** Runs something after `ms`. */
  at(ms: number, run: () => void): void {
    const events = this.#events;
    const event = { atMs: this.#nowMs + ms, order: this.random(), run };
    let at = events.length;
    events.push(event);
    for (let parent = (at - 1) >> 1; at > 0 && isBefore(event, events[parent]!); parent = (at - 1) >> 1) {
      events[at] = events[parent]!;
      at = parent;
    }
    events[at] = event;
  }

  /** Lets time pass until `untilMs`, or until `done` says so. */
  async run(untilMs: number, done: () => boolean = () => false): Promise<void> {
    for (let count = 0; count % DONE_EVERY !== 0 || !done(); count++) {
      const first = this.#events[0];
      if (first === undefined || first.atMs > untilMs) return;
      this.#pop();
      this.#nowMs = first.atMs;
      first.run();
      // Everything that follows from the event happens before the next one.
      for (let turn = 0; turn < TURNS; turn++) await undefined;
    }
  }

  #pop(): void {
    const events = this.#events;
    const last = events.pop();
    if (last === undefined || events.length === 0) return;
    let at = 0;
    for (;;) {
      let child = at * 2 + 1;
      if (child >= events.length) break;
      if (child + 1 < events.length && isBefore(events[child + 1]!, events[child]!)) child++;
      if (!isBefore(events[child]!, last)) break;
      events[at] = events[child]!;
      at = child;
    }
    events[at] = last;
  }
}

/** `done` is asked once in this many events. */
const DONE_EVERY = 50;
/** Promise turns after each event: more than the longest chain of awaits between two sleeps. */
const TURNS = 25;

function isBefore(a: Event, b: Event): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);
}
