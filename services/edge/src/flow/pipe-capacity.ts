import type { FlowReport } from '@weir/records';
import { LIMITS } from '../limits.ts';

/** What is learnt of one second. */
const LEARNING = 0.1;
/** Seconds of learning before it is relied on. */
const SECONDS_MIN = 3;
/** An inflow below this part of the drain says nothing about the ratio of what edges accept and what arrives. */
const INFLOW_MIN = 0.05;

/**
 * What the pipe takes, in bytes that edges accept: the drain of whoever is fullest, in bytes of its log, times what the edges
 * accept for each byte that arrives there, steered towards a fill. The ratio is learnt slowly and kept while little
 * comes in: it is a matter of compression and of who owns how much, and no part of the control.
 */
export class PipeCapacity {
  #reporter = '';
  #accepted = 0;
  #inflow = 0;
  #seconds = 0;

  /** To be called every second, full or not. @param accepted bytes a second that the edges accept, all together */
  learn({ reporter, inflowBytesPerSecond, drainBytesPerSecond }: FlowReport, accepted: number): void {
    if (reporter !== this.#reporter) {
      this.#reporter = reporter;
      // What another one saw is the best guess, to be replaced soon.
      this.#accepted *= LEARNING;
      this.#inflow *= LEARNING;
    }
    if (inflowBytesPerSecond <= (drainBytesPerSecond ?? 0) * INFLOW_MIN || accepted === 0) return;
    this.#seconds++;
    this.#accepted += (accepted - this.#accepted) * LEARNING;
    this.#inflow += (inflowBytesPerSecond - this.#inflow) * LEARNING;
  }

  /**
   * Bytes a second that may be accepted of all tenants together; undefined while too little is known to say.
   *
   * @param demand of all tenants
   */
  of({ fill, drainBytesPerSecond, breaker }: FlowReport, demand: number): number | undefined {
    // Nothing drains: what is left of the room goes to whoever wants least, and the less is left the fewer these are.
    if (drainBytesPerSecond === null || breaker.state !== 'closed') {
      return (demand * Math.max(0, 1 - fill)) / (1 - LIMITS.fairFill);
    }
    if (this.#seconds < SECONDS_MIN || this.#inflow === 0) return undefined;
    const steer = 1 + LIMITS.fairGain * (LIMITS.fairFillAim - fill);
    return drainBytesPerSecond * (this.#accepted / this.#inflow) * Math.max(LIMITS.fairGainMin, steer);
  }
}
