import type { DemandReport } from '@weir/records';
import { LIMITS } from '../limits.ts';

/**
 * - `heard`: the reports come, our own among them.
 * - `held`: they have stopped coming, a while ago: what they said last is kept.
 * - `lost`: too long ago to go by what was wanted then.
 */
export type Hearing = 'heard' | 'held' | 'lost';

interface Seen {
  readonly report: DemandReport;
  atMs: number;
}

/**
 * What all edges say of their tenants' demand. An edge that is silent while we hear ourselves is gone; when we do not hear
 * ourselves either it is weir.demand that is away, and nobody is known to be gone.
 */
export class LiveEdges {
  readonly #self: string;
  readonly #edges = new Map<string, Seen>();
  /** When our own report came back last. */
  #heardMs: number | undefined;

  /** @param self id of this edge */
  constructor(self: string) {
    this.#self = self;
  }

  /** Takes a report as it comes, our own too. */
  take(report: DemandReport, nowMs: number): void {
    const { edge, leaving } = report;
    if (edge === this.#self) this.#hear(nowMs);
    if (leaving) this.#edges.delete(edge);
    else if (this.#edges.has(edge) || edge === this.#self || this.#edges.size < LIMITS.edgesMax) {
      this.#edges.set(edge, { report, atMs: nowMs });
    }
  }

  #hear(nowMs: number): void {
    // After a silence of all, the others get as long as ever to be heard again.
    if (this.hearing(nowMs) !== 'heard') for (const seen of this.#edges.values()) seen.atMs = nowMs;
    this.#heardMs = nowMs;
  }

  hearing(nowMs: number): Hearing {
    // One that has never heard itself knows at most of others: it cannot tell what they take it to want.
    if (this.#heardMs === undefined) return 'lost';
    const silentMs = nowMs - this.#heardMs;
    if (silentMs <= LIMITS.edgeSilentMs) return 'heard';
    return silentMs <= LIMITS.edgeSilentMs + LIMITS.sharesHoldMs ? 'held' : 'lost';
  }

  /** The last report of each edge that is not known to be gone. */
  reports(nowMs: number): readonly DemandReport[] {
    const heardMs = this.#heardMs === undefined ? nowMs : this.#heardMs;
    for (const [edge, { atMs }] of this.#edges) {
      if (heardMs - atMs > LIMITS.edgeSilentMs) this.#edges.delete(edge);
    }
    return [...this.#edges.values()].map(({ report }) => report);
  }

  /** Live edges as far as is known, this one included; at least 1. */
  count(nowMs: number): number {
    const reports = this.reports(nowMs);
    return reports.length + (this.#edges.has(this.#self) ? 0 : 1);
  }
}
