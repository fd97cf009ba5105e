import type { RefusalReason, SignalKind } from '@weir/pipeline';
import type { DlqReason } from './dlq.ts';

/**
 * What became of items, as the books (weir_usage) have it. Closed list.
 *
 * - `accepted`: in the raw log. Either `stored` or `dead_lettered` afterwards.
 * - `refused`: answered with a reason, and not in the raw log.
 * - `acked`: answered with success, as the edges have it. Counted by them and not with the records, so it misses what
 *   an edge that was killed had not told yet.
 * - `unanswered`: in the raw log, and so among the accepted; but the client was told 503.
 */
export const USAGE_OUTCOMES = ['accepted', 'stored', 'dead_lettered', 'refused', 'acked', 'unanswered'] as const;

export type UsageOutcome = (typeof USAGE_OUTCOMES)[number];

/** Items of one tenant and signal that arrived in one minute, and what became of them. */
export interface Usage {
  readonly tenant: string;
  readonly signal: SignalKind;
  /** Of receipt, whole minutes since the epoch. */
  readonly minute: number;
  readonly outcome: UsageOutcome;
  /** Empty unless the outcome needs one. */
  readonly reason: DlqReason | RefusalReason | '';
  /** Negative where something that was booked is taken back. */
  readonly items: number;
  /** Of OTLP protobuf, decompressed; 0 where the outcome does not count them. */
  readonly bytes: number;
}

const NS_PER_MINUTE = 60_000_000_000n;
/** The last whole minute of a ClickHouse DateTime. */
const MINUTE_MAX = 71_582_788n;

/** The minute of a wall-clock time in ns since the epoch; one that no DateTime can hold becomes the last that one can. */
export function minuteOf(atNs: bigint): number {
  const minute = atNs / NS_PER_MINUTE;
  return Number(minute < MINUTE_MAX ? minute : MINUTE_MAX);
}

type Sums = { -readonly [K in keyof Usage]: Usage[K] };

/** Adds up usage: one entry for each tenant, signal, minute, outcome and reason. */
export class UsageTally {
  readonly #sums = new Map<string, Sums>();

  add(usage: Usage): void {
    const { tenant, signal, minute, outcome, reason, items, bytes } = usage;
    if (items === 0 && bytes === 0) return;
    const key = `${tenant} ${signal} ${minute} ${outcome} ${reason}`;
    const sum = this.#sums.get(key);
    if (sum === undefined) this.#sums.set(key, { tenant, signal, minute, outcome, reason, items, bytes });
    else {
      sum.items += items;
      sum.bytes += bytes;
    }
  }

  /** Of all entries together. */
  get items(): number {
    let sum = 0;
    for (const { items } of this.#sums.values()) sum += items;
    return sum;
  }

  get size(): number {
    return this.#sums.size;
  }

  entries(): readonly Usage[] {
    return [...this.#sums.values()];
  }
}
