import type { Clock } from '@weir/pipeline';
import type { FlowReport, FlowRole, Track } from '@weir/records';

/** A report older than this, by our own clock, says nothing. */
export const FLOW_FRESH_MS = 10_000;
/** Reports of more sinks and normalizers are not kept. */
export const FLOW_REPORTERS_MAX = 1_000;

/** From this fill of the pipe on tenants are held to fair shares, and what can wait waits, until it is below the second. */
export const FAIR_FILL = { from: 0.75, leftBelow: 0.7 } as const;

interface Seen {
  readonly report: FlowReport;
  /** Our monotonic clock when the report came: the reporter's clock may be wrong. */
  readonly atMs: number;
}

/** Who of a track is fullest. */
export interface Fullest {
  /** Undefined where no report is fresh. */
  readonly report: FlowReport | undefined;
  /** When it has to be asked for again though no report came: one of the track is stale then. */
  readonly holdsUntilMs: number;
}

/**
 * What sinks and normalizers say of themselves. A report counts while it is fresh by our own clock: who falls silent, or reports
 * that are lost, never keep exports out for longer than that.
 */
export class FlowReports {
  readonly #clock: Clock;
  readonly #seen = new Map<string, Seen>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Takes a report as it comes; a reporter that leaves is forgotten. */
  take(report: FlowReport): void {
    const { reporter, leaving } = report;
    if (leaving) this.#seen.delete(reporter);
    else if (this.#seen.has(reporter) || this.#seen.size < FLOW_REPORTERS_MAX) {
      this.#seen.set(reporter, { report, atMs: this.#clock.nowMs() });
    }
  }

  /** The fullest of the track's fresh reports. Forgets all that are stale. */
  fullest(track: Track): Fullest {
    const nowMs = this.#clock.nowMs();
    let fullest: FlowReport | undefined;
    let holdsUntilMs = Number.POSITIVE_INFINITY;
    for (const [reporter, { report, atMs }] of this.#seen) {
      const endsMs = atMs + FLOW_FRESH_MS;
      if (endsMs <= nowMs) {
        this.#seen.delete(reporter);
        continue;
      }
      if (report.track !== track) continue;
      holdsUntilMs = Math.min(holdsUntilMs, endsMs);
      if (fullest === undefined || report.fill > fullest.fill) fullest = report;
    }
    return { report: fullest, holdsUntilMs };
  }

  /** Reporters of a role in a track whose report is fresh. */
  count(track: Track, role: FlowRole): number {
    const staleMs = this.#clock.nowMs() - FLOW_FRESH_MS;
    let found = 0;
    for (const { report, atMs } of this.#seen.values()) {
      if (atMs > staleMs && report.track === track && report.role === role) found++;
    }
    return found;
  }
}
