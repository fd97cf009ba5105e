import type { Clock } from '@weir/pipeline';

/**
 * What an item that is only read counts against a rate, beside one that is made rows of: reading goes ten times as fast, and never
 * at the whole speed that Kafka and its network have.
 */
export const READING_PART = 0.1;

/** Holds whoever takes items to a rate: what was taken too early is waited for before more is. */
export class Pacer {
  readonly #perSecond: number;
  readonly #clock: Clock;
  #freeAtMs: number;

  /** @param perSecond infinite: no rate */
  constructor(perSecond: number, clock: Clock) {
    this.#perSecond = perSecond;
    this.#clock = clock;
    this.#freeAtMs = clock.nowMs();
  }

  async take(items: number, signal: AbortSignal): Promise<void> {
    const nowMs = this.#clock.nowMs();
    const startMs = Math.max(this.#freeAtMs, nowMs);
    this.#freeAtMs = startMs + (items / this.#perSecond) * 1_000;
    if (startMs > nowMs) await this.#clock.sleep(startMs - nowMs, signal);
  }
}
