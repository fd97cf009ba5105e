import type { Log } from '@weir/delivery';
import { FAIR_FILL, FlowReports, followTopic } from '@weir/flow';
import type { Clock, Component } from '@weir/pipeline';
import { CONTROL_TOPICS, decodeFlowReport, type Track } from '@weir/records';

/** Sinks and normalizers report every second: who has listened for so long has heard all of them. */
const HEARD_MS = 1_500;
const POLL_MS = 250;

/**
 * Whether the pipe takes more, by what its sinks and normalizers report. The fullest of a track decides. From where edges hold tenants to
 * shares letters wait, as they have for days, until there is room for all.
 */
export class PipeRoom {
  readonly #clock: Clock;
  readonly #follower: Component;
  readonly #reports: FlowReports;
  #startedMs = 0;

  constructor(log: Log, clock: Clock) {
    this.#clock = clock;
    this.#reports = new FlowReports(clock);
    const options = { topic: CONTROL_TOPICS.flow, name: 'flow', onFault: () => undefined };
    this.#follower = followTopic(log, clock, options, ({ value }) => {
      const decoded = decodeFlowReport(value);
      if (decoded.ok) this.#reports.take(decoded.value);
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
    if (fill < FAIR_FILL.from) return;
    onFull(fill);
    while (this.#fill(track) >= FAIR_FILL.leftBelow) await this.#clock.sleep(POLL_MS, signal);
  }

  #fill(track: Track): number {
    return this.#reports.fullest(track).report?.fill ?? 0;
  }
}
