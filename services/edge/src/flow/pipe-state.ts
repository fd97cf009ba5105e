import { FlowReports } from '@weir/flow';
import { type Clock, ZONE_BOUNDS } from '@weir/pipeline';
import type { FlowReport, FlowRole } from '@weir/records';
import type { PipeFill } from '../exports.ts';
import { LIMITS } from '../limits.ts';

const REASONS = { sink: 'sink_full', normalizer: 'normalizer_full' } as const satisfies Record<FlowRole, string>;
const OPEN: PipeFill = { fill: 0, reason: 'sink_full', retryAfterS: 1 };

/**
 * How full the pipe is, by the reports of its sinks and normalizers; the fullest decides. When none is fresh the pipe counts as open:
 * Kafka itself is the queue then.
 */
export class PipeState {
  readonly #clock: Clock;
  readonly #track: string;
  readonly #reports: FlowReports;
  #fullest: FlowReport | undefined;
  #pipe = OPEN;
  /** When what was worked out last does not hold any more, by our own clock. */
  #holdsUntilMs = 0;

  constructor(clock: Clock, track: string) {
    this.#clock = clock;
    this.#track = track;
    this.#reports = new FlowReports(clock);
  }

  /** How full the pipe is. Costs nothing between one report and the next. */
  current(): PipeFill {
    if (this.#clock.nowMs() >= this.#holdsUntilMs) this.#combine();
    return this.#pipe;
  }

  /** The fullest of the fresh reports. */
  get fullest(): FlowReport | undefined {
    this.current();
    return this.#fullest;
  }

  /** Fresh reports of a role. */
  reporters(role: FlowRole): number {
    return this.#reports.count(this.#track, role);
  }

  /** Takes a report as it comes. */
  take(report: FlowReport): void {
    if (report.track !== this.#track) return;
    this.#reports.take(report);
    this.#holdsUntilMs = 0;
  }

  #combine(): void {
    const { report, holdsUntilMs } = this.#reports.fullest(this.#track);
    this.#holdsUntilMs = holdsUntilMs;
    this.#fullest = report;
    this.#pipe =
      report === undefined
        ? OPEN
        : { fill: report.fill, reason: REASONS[report.role], retryAfterS: retryAfterS(report) };
  }
}

/**
 * The time until the backlog is back where ordinary exports are taken, at the rate at which it goes down; where it does not,
 * because all that comes in was taken before it was full, at a part of the drain. No sooner than a breaker tries again.
 */
function retryAfterS({
  fill,
  backlogBytes,
  drainBytesPerSecond,
  inflowBytesPerSecond,
  breaker,
  ...report
}: FlowReport) {
  const { leftBelow } = ZONE_BOUNDS.priority;
  if (fill < leftBelow) return 1;
  const part = 1 - leftBelow / fill;
  let seconds: number = LIMITS.drainUnknownS;
  if (drainBytesPerSecond !== null && drainBytesPerSecond > 0) {
    const net = Math.max(drainBytesPerSecond - inflowBytesPerSecond, drainBytesPerSecond * LIMITS.netDrainMin);
    seconds = (backlogBytes * part) / net;
  } else if (report.backlogSeconds !== null) seconds = report.backlogSeconds * part;
  const waits = breaker.state === 'open' ? breaker.waitMs / 1_000 : 0;
  return Math.min(LIMITS.retryAfterSMax, Math.max(1, Math.ceil(Math.max(seconds, waits))));
}
