import type { Clock } from '@weir/pipeline';

interface Entry {
  dueMs: number;
  readonly act: () => void;
}

/** A timer that is this late was not kept by a busy loop: the process was stopped. */
const OVERSLEPT_MS = 2_000;

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
    for (let [entry] = this.#entries; entry !== undefined; [entry] = this.#entries) {
      const waitMs = entry.dueMs - this.#clock.nowMs();
      if (waitMs > 0) await this.#clock.sleep(waitMs, signal).catch(() => undefined);
      if (signal.aborted) return;
      const now = this.#clock.nowMs();
      // It was we who stood still: what is missing may be waiting in our own sockets.
      if (now - entry.dueMs > OVERSLEPT_MS) for (const each of this.#entries) each.dueMs = now + this.#afterMs;
      // It may have been cancelled meanwhile.
      else if (this.#entries.delete(entry)) entry.act();
    }
    this.#running = false;
  }
}
