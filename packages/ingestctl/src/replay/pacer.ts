import type { Clock } from '@weir/pipeline';

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
