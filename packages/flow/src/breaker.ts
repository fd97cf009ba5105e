import type { Clock } from '@weir/pipeline';
import type { BreakerReport } from '@weir/records';

/** After a longer silence nothing is being tried, and nothing is known to fail. */
const SILENT_MS_MAX = 130_000;

interface Failure {
  readonly sinceMs: number;
  readonly lastMs: number;
  readonly triesAgainMs: number;
}

/**
 * Whether what a service writes to takes it, by partition: closed while all that is written is taken, open from a failure
 * until the next try, half open while that try is under way. It only says so; who waits and tries again is the writer.
 */
export class Breaker {
  readonly #clock: Clock;
  /** By partition: no more than are owned. */
  readonly #failing = new Map<number, Failure>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get isClosed(): boolean {
    this.#forget();
    return this.#failing.size === 0;
  }

  fails(partition: number): boolean {
    this.#forget();
    return this.#failing.has(partition);
  }

  /** @param retryInMs when it is tried again */
  failed(partition: number, retryInMs: number): void {
    this.#forget();
    const lastMs = this.#clock.nowMs();
    const sinceMs = this.#failing.get(partition)?.sinceMs ?? lastMs;
    this.#failing.set(partition, { sinceMs, lastMs, triesAgainMs: lastMs + retryInMs });
  }

  /** What the partition had to write is taken, or it has nothing to write. */
  works(partition: number): void {
    this.#failing.delete(partition);
  }

  /** What failed is another's now. */
  close(): void {
    this.#failing.clear();
  }

  look(): BreakerReport {
    if (this.isClosed) return { state: 'closed', forMs: 0, waitMs: 0 };
    const nowMs = this.#clock.nowMs();
    const failures = [...this.#failing.values()];
    const waitMs = Math.max(0, Math.min(...failures.map(({ triesAgainMs }) => triesAgainMs)) - nowMs);
    const forMs = nowMs - Math.min(...failures.map(({ sinceMs }) => sinceMs));
    return { state: waitMs > 0 ? 'open' : 'half_open', forMs, waitMs };
  }

  #forget(): void {
    const nowMs = this.#clock.nowMs();
    for (const [partition, { lastMs }] of this.#failing) {
      if (nowMs - lastMs > SILENT_MS_MAX) this.#failing.delete(partition);
    }
  }
}
