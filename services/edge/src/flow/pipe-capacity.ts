import { FAIR_FILL } from '@weir/flow';
import type { FlowReport } from '@weir/records';
import { LIMITS } from '../limits.ts';

/** What is learnt of one second. */
const LEARNING = 0.03;
/** A twentieth of change within a second halves what is learnt of it. */
const CHANGE_WORTH = 20;
/** What another reporter's ratio is worth beside one's own. */
const OTHERS_WORTH = 0.1;
/** What edges accept arrives a few seconds later in the inflow, which is a mean over more of them: the two are compared when they are alike. */
const CATCH_UP = 0.22;
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
  #late: number | undefined;
  #before = 0;

  /** To be called every second, full or not. @param accepted bytes a second that the edges accept, all together */
  learn({ reporter, inflowBytesPerSecond, drainBytesPerSecond }: FlowReport, accepted: number): void {
    if (reporter !== this.#reporter) {
      this.#before = 0;
      this.#reporter = reporter;
      // What another one saw is the best guess, to be replaced soon.
      this.#accepted *= OTHERS_WORTH;
      this.#inflow *= OTHERS_WORTH;
    }
    this.#late = this.#late === undefined ? accepted : this.#late + (accepted - this.#late) * CATCH_UP;
    if (inflowBytesPerSecond <= (drainBytesPerSecond ?? 0) * INFLOW_MIN || this.#late === 0) return;
    this.#seconds++;
    // Of a second in which the inflow changed much little is learnt: what was accepted has not arrived, or was more before.
    const change = Math.abs(inflowBytesPerSecond / (this.#before || inflowBytesPerSecond) - 1);
    this.#before = inflowBytesPerSecond;
    const part = LEARNING / (1 + (change * CHANGE_WORTH) ** 2);
    this.#accepted += (this.#late - this.#accepted) * part;
    this.#inflow += (inflowBytesPerSecond - this.#inflow) * part;
  }

  /**
   * Bytes a second that may be accepted of all tenants together; undefined while too little is known to say.
   *
   * @param demand of all tenants
   */
  of({ fill, drainBytesPerSecond, breaker }: FlowReport, demand: number): number | undefined {
    // Nothing drains: what is left of the room goes to whoever wants least, and the less is left the fewer these are.
    if (drainBytesPerSecond === null || breaker.state !== 'closed') {
      return (demand * Math.max(0, 1 - fill)) / (1 - FAIR_FILL.from);
    }
    if (this.#seconds < SECONDS_MIN || this.#inflow === 0) return undefined;
    const steer = 1 + LIMITS.fairGain * (LIMITS.fairFillAim - fill);
    const bounded = Math.min(LIMITS.fairGainMax, Math.max(LIMITS.fairGainMin, steer));
    return drainBytesPerSecond * (this.#accepted / this.#inflow) * bounded;
  }
}
