import { SIGNALS } from '@weir/pipeline';
import { type BySignal, bySignal } from './by-signal.ts';

/** What one reading found: the books first, then the tables; of what was on its way, what was before the books. */
export interface Reading {
  readonly accepted: BySignal;
  readonly stored: BySignal;
  readonly dead: BySignal;
  readonly acked: BySignal;
  readonly inFlight: BySignal;
  readonly rows: BySignal;
}

/** What does not balance, of each signal. */
export interface Differences {
  /** Accepted - stored - dead-lettered. */
  readonly accepted: BySignal;
  /** Stored - rows in the tables. */
  readonly rows: BySignal;
  /** Answered with success, and neither accepted nor in flight. */
  readonly answered: BySignal;
}

/** As one reading has it: exact where nothing came in while it was read. */
export function differencesOf(reading: Reading): Differences {
  const { accepted, stored, dead, acked, inFlight, rows } = reading;
  return {
    accepted: bySignal((kind) => accepted[kind] - stored[kind] - dead[kind]),
    rows: bySignal((kind) => stored[kind] - rows[kind]),
    answered: bySignal((kind) => Math.max(0, acked[kind] - accepted[kind] - inFlight[kind])),
  };
}

/**
 * What comes in cannot explain, of two readings between which everything that was half in has got in: what the earlier one has on one
 * side and the later one not on the other. What comes in may hide a difference, and never makes one.
 */
export function unexplained(earlier: Reading, later: Reading): Differences {
  const least = (missing: number, extra: number) => (missing > 0 ? missing : extra > 0 ? -extra : 0);
  const ended = (reading: Reading, kind: keyof BySignal) => reading.stored[kind] + reading.dead[kind];
  const latest = differencesOf(later);
  return {
    accepted: bySignal((kind) =>
      least(earlier.accepted[kind] - ended(later, kind), ended(earlier, kind) - later.accepted[kind]),
    ),
    rows: bySignal((kind) => least(earlier.stored[kind] - later.rows[kind], earlier.rows[kind] - later.stored[kind])),
    answered: bySignal((kind) =>
      Math.min(latest.answered[kind], Math.max(0, earlier.acked[kind] - later.accepted[kind] - later.inFlight[kind])),
    ),
  };
}

/** Whether all balances. */
export function isZero({ accepted, rows, answered }: Differences): boolean {
  return [accepted, rows, answered].every((items) => SIGNALS.every((kind) => items[kind] === 0));
}
