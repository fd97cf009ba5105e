import type { RedriveEntry, TurnScope } from '@weir/records';

/** The turn of a replay: runs of its promotion that have it, and the rows that they may change. */
export interface Turn {
  readonly replay: string;
  readonly scope: TurnScope;
  readonly runs: Set<string>;
}

/**
 * Which replays may change rows, by the order of the journal alone: the first one has its turn until its runs are over, and an entry
 * of another replay for some of the same rows never counts. So of any number that were killed at any place one can go on.
 */
export class Turns {
  readonly #open = new Map<string, Turn>();
  /** An entry may come twice, long after the first. */
  readonly #seen = new Set<string>();

  apply(entry: Extract<RedriveEntry, { kind: 'turn' | 'turn_over' }>): void {
    const { replay } = entry;
    const own = this.#open.get(replay);
    if (entry.kind === 'turn_over') {
      for (const run of entry.runs) {
        this.#seen.add(run);
        own?.runs.delete(run);
      }
      if (own?.runs.size === 0) this.#open.delete(replay);
      return;
    }
    if (this.#seen.has(entry.run)) return;
    this.#seen.add(entry.run);
    if (own !== undefined) own.runs.add(entry.run);
    else if (this.before(replay, entry.scope) === undefined) {
      this.#open.set(replay, { replay, scope: entry.scope, runs: new Set([entry.run]) });
    }
  }

  /** The turn of another replay that has to do with some of the same rows. */
  before(replay: string, scope: TurnScope): Turn | undefined {
    return [...this.#open.values()].find((turn) => turn.replay !== replay && overlap(turn.scope, scope));
  }

  /** Runs of a replay that have its turn. */
  runsOf(replay: string): readonly string[] {
    return [...(this.#open.get(replay)?.runs ?? [])];
  }
}

/** Whether both may have rows of the same raw record in the same table. */
function overlap(one: TurnScope, other: TurnScope): boolean {
  return (
    one.track === other.track &&
    one.tables.some((table) => other.tables.includes(table)) &&
    (one.tenants.length === 0 ||
      other.tenants.length === 0 ||
      one.tenants.some((tenant) => other.tenants.includes(tenant))) &&
    one.ranges.some(({ partition, first, last }) =>
      other.ranges.some((each) => each.partition === partition && each.first <= last && first <= each.last),
    )
  );
}
