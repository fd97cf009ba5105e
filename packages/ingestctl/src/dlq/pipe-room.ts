import type { Log } from '@weir/delivery';
import { followTopic } from '@weir/flow';
import type { Clock, Component } from '@weir/pipeline';
import { CONTROL_TOPICS, decodeFlowReport, type FlowReport, type Track } from '@weir/records';

/** From here on edges hold tenants to shares: letters have waited for days, and wait until there is room for all. */
export const FULL_FROM = 0.75;
export const LEFT_BELOW = 0.7;
/** As edges have it: an older report says nothing, and where there is none the pipe counts as open. */
const FRESH_MS = 10_000;
const REPORTERS_MAX = 1_000;
/** Sinks and normalizers report every second: who has listened for so long has heard all of them. */
const HEARD_MS = 1_500;
const POLL_MS = 250;

/** Whether the pipe takes more, by what its sinks and normalizers report. The fullest of a track decides. */
export class PipeRoom {
  readonly #clock: Clock;
  readonly #follower: Component;
  readonly #reports = new Map<string, { readonly report: FlowReport; readonly atMs: number }>();
  #startedMs = 0;

  constructor(log: Log, clock: Clock) {
    this.#clock = clock;
    const options = { topic: CONTROL_TOPICS.flow, name: 'flow', onFault: () => undefined };
    this.#follower = followTopic(log, clock, options, ({ value }) => {
      const decoded = decodeFlowReport(value);
      if (decoded.ok) this.#take(decoded.value);
    });
  }

  async start(signal: AbortSignal): Promise<void> {
    this.#startedMs = this.#clock.nowMs();
    await this.#follower.start(signal);
  }

  async stop(): Promise<void> {
    await this.#follower.stop(new AbortController().signal);
  }

  /** Returns once the track takes more. @param onFull told how full it is, where that has to be waited for */
  async wait(track: Track, signal: AbortSignal, onFull: (fill: number) => void): Promise<void> {
    const unheardMs = this.#startedMs + HEARD_MS - this.#clock.nowMs();
    if (unheardMs > 0) await this.#clock.sleep(unheardMs, signal);
    const fill = this.#fill(track);
    if (fill < FULL_FROM) return;
    onFull(fill);
    while (this.#fill(track) >= LEFT_BELOW) await this.#clock.sleep(POLL_MS, signal);
  }

  #fill(track: Track): number {
    const sinceMs = this.#clock.nowMs() - FRESH_MS;
    let fill = 0;
    for (const [reporter, { report, atMs }] of this.#reports) {
      if (atMs <= sinceMs) this.#reports.delete(reporter);
      else if (report.track === track) fill = Math.max(fill, report.fill);
    }
    return fill;
  }

  #take(report: FlowReport): void {
    const { reporter, leaving } = report;
    if (leaving) this.#reports.delete(reporter);
    else if (this.#reports.has(reporter) || this.#reports.size < REPORTERS_MAX) {
      this.#reports.set(reporter, { report, atMs: this.#clock.nowMs() });
    }
  }
}
