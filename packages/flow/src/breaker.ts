import type { Clock } from '@weir/pipeline';
import type { BreakerReport } from '@weir/records';

/** After a longer silence nothing is being tried, and nothing is known to fail. */
const SILENT_MS_MAX = 130_000;

/**
 * Whether what a service writes to takes it: closed while it does, open from a failure until the next try, half open while
 * that try is under way. It only says so; who waits and tries again is the writer.
 */
export class Breaker {
  readonly #clock: Clock;
  #failingSinceMs: number | undefined;
  #failedMs = 0;
  #triesAgainMs = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get isClosed(): boolean {
    return this.#failingSinceMs === undefined || this.#clock.nowMs() - this.#failedMs > SILENT_MS_MAX;
  }

  /** @param retryInMs when it is tried again */
  failed(retryInMs: number): void {
    this.#failedMs = this.#clock.nowMs();
    this.#triesAgainMs = this.#failedMs + retryInMs;
    this.#failingSinceMs ??= this.#failedMs;
  }

  /** It works, or what failed is another's now. */
  close(): void {
    this.#failingSinceMs = undefined;
  }

  look(): BreakerReport {
    if (this.#failingSinceMs === undefined || this.isClosed) return { state: 'closed', forMs: 0, waitMs: 0 };
    const nowMs = this.#clock.nowMs();
    const waitMs = Math.max(0, this.#triesAgainMs - nowMs);
    return { state: waitMs > 0 ? 'open' : 'half_open', forMs: nowMs - this.#failingSinceMs, waitMs };
  }
}
