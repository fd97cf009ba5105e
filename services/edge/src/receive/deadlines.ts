import type { Clock } from '@weir/pipeline';

interface Entry {
  readonly dueMs: number;
  readonly act: () => void;
}

/**
 * Acts on what is not cancelled within `afterMs`. One sleeper serves all, in the order in which they were set, and spares each
 * call a timer and an abort signal.
 */
export class Deadlines {
  readonly #clock: Clock;
  readonly #afterMs: number;
  readonly #entries = new Set<Entry>();
  readonly #stopping = new AbortController();
  #running = false;

  constructor(clock: Clock, afterMs: number) {
    this.#clock = clock;
    this.#afterMs = afterMs;
  }

  /** How many are set. */
  get size(): number {
    return this.#entries.size;
  }

  /** @returns what cancels it; safe to call twice, and after it has acted */
  set(act: () => void): () => void {
    const entry = { dueMs: this.#clock.nowMs() + this.#afterMs, act };
    this.#entries.add(entry);
    if (!this.#running) void this.#run();
    return () => this.#entries.delete(entry);
  }

  /** Nothing acts any more. */
  stop(): void {
    this.#entries.clear();
    this.#stopping.abort();
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping;
    this.#running = true;
    for (const entry of this.#entries) {
      const waitMs = entry.dueMs - this.#clock.nowMs();
      if (waitMs > 0) await this.#clock.sleep(waitMs, signal).catch(() => undefined);
      if (signal.aborted) return;
      // It may have been cancelled meanwhile.
      if (this.#entries.delete(entry)) entry.act();
    }
    this.#running = false;
  }
}
