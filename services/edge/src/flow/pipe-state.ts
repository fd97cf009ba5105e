import { type Clock, ZONE_BOUNDS } from '@weir/pipeline';
import type { FlowReport, FlowRole } from '@weir/records';
import type { PipeFill } from '../exports.ts';
import { LIMITS } from '../limits.ts';

interface Seen {
  readonly report: FlowReport;
  /** Our monotonic clock when the report came: the reporter's clock may be wrong. */
  readonly atMs: number;
}

const REASONS = { sink: 'sink_full', normalizer: 'normalizer_full' } as const satisfies Record<FlowRole, string>;
const OPEN: PipeFill = { fill: 0, reason: 'sink_full', retryAfterS: 1 };

/**
 * How full the pipe is, by the reports of its sinks and normalizers; the fullest decides. A report counts while it is fresh by
 * our own clock: who falls silent, or reports that are lost, never keep exports out for longer than that. When none is fresh
 * the pipe counts as open: Kafka itself is the queue then.
 */
export class PipeState {
  readonly #clock: Clock;
  readonly #track: string;
  readonly #reports = new Map<string, Seen>();
  #fullest: FlowReport | undefined;
  #pipe = OPEN;
  /** When what was worked out last does not hold any more, because a report is stale; by our own clock. */
  #holdsUntilMs = 0;

  constructor(clock: Clock, track: string) {
    this.#clock = clock;
    this.#track = track;
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
    this.current();
    return this.#reports
      .values()
      .filter(({ report }) => report.role === role)
      .toArray().length;
  }

  /** Takes a report as it comes. */
  take(report: FlowReport): void {
    if (report.track !== this.#track) return;
    const { reporter } = report;
    if (report.leaving) this.#reports.delete(reporter);
    else if (this.#reports.has(reporter) || this.#reports.size < LIMITS.flowReportersMax) {
      this.#reports.set(reporter, { report, atMs: this.#clock.nowMs() });
    }
    this.#holdsUntilMs = 0;
  }

  #combine(): void {
    const nowMs = this.#clock.nowMs();
    let fullest: FlowReport | undefined;
    let holdsUntilMs = Number.POSITIVE_INFINITY;
    for (const [reporter, { report, atMs }] of this.#reports) {
      const endsMs = atMs + LIMITS.flowFreshMs;
      if (endsMs <= nowMs) {
        this.#reports.delete(reporter);
        continue;
      }
      holdsUntilMs = Math.min(holdsUntilMs, endsMs);
      if (fullest === undefined || report.fill > fullest.fill) fullest = report;
    }
    this.#holdsUntilMs = holdsUntilMs;
    this.#fullest = fullest;
    this.#pipe =
      fullest === undefined
        ? OPEN
        : { fill: fullest.fill, reason: REASONS[fullest.role], retryAfterS: retryAfterS(fullest) };
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
  if (fill < ZONE_BOUNDS.priority.from) return 1;
  const part = 1 - ZONE_BOUNDS.priority.from / fill;
  let seconds: number = LIMITS.drainUnknownS;
  if (drainBytesPerSecond !== null && drainBytesPerSecond > 0) {
    const net = Math.max(drainBytesPerSecond - inflowBytesPerSecond, drainBytesPerSecond * LIMITS.netDrainMin);
    seconds = (backlogBytes * part) / net;
  } else if (report.backlogSeconds !== null) seconds = report.backlogSeconds * part;
  const waits = breaker.state === 'open' ? breaker.waitMs / 1_000 : 0;
  return Math.min(LIMITS.retryAfterSMax, Math.max(1, Math.ceil(Math.max(seconds, waits))));
}
