import type { Clock } from '@weir/pipeline';

interface Sleeper {
  readonly atMs: number;
  readonly wake: () => void;
}

/** A clock that stands still until a test moves it. Sleepers wake in the order of their times. */
export class FakeClock implements Clock {
  #nowMs: number;
  #wallOffsetNs: bigint;
  readonly #sleepers = new Set<Sleeper>();

  constructor(startMs = 0, wallStartNs = 1_700_000_000_000_000_000n) {
    this.#nowMs = startMs;
    this.#wallOffsetNs = wallStartNs - nanoseconds(startMs);
  }

  nowMs(): number {
    return this.#nowMs;
  }

  wallNs(): bigint {
    return this.#wallOffsetNs + nanoseconds(this.#nowMs);
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted === true) {
        reject(signal.reason);
        return;
      }
      const onAbort = () => {
        this.#sleepers.delete(sleeper);
        reject(signal?.reason);
      };
      const wake = () => {
        this.#sleepers.delete(sleeper);
        signal?.removeEventListener('abort', onAbort);
        resolve();
      };
      const sleeper = { atMs: this.#nowMs + Math.max(0, ms), wake };
      this.#sleepers.add(sleeper);
      signal?.addEventListener('abort', onAbort, { once: true });
    });
  }

  /** Sleeps that have neither ended nor been aborted. */
  get sleeping(): number {
    return this.#sleepers.size;
  }

  /**
   * Moves time on by `ms`. Each sleeper that is due wakes at its own time, and what it does then, another sleep too, happens
   * before time moves further.
   */
  async advance(ms: number): Promise<void> {
    const endMs = this.#nowMs + ms;
    for (;;) {
      await settle();
      const next = [...this.#sleepers].toSorted((a, b) => a.atMs - b.atMs)[0];
      if (next === undefined || next.atMs > endMs) break;
      this.#nowMs = Math.max(this.#nowMs, next.atMs);
      next.wake();
    }
    this.#nowMs = endMs;
    await settle();
  }

  /** Moves the wall clock alone, back too, as a time server does; the monotonic clock stays. */
  jumpWall(ms: number): void {
    this.#wallOffsetNs += nanoseconds(ms);
  }
}

function nanoseconds(ms: number): bigint {
  return BigInt(Math.round(ms * 1_000_000));
}

/** Lets everything run that waits for nothing but a promise. */
function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
