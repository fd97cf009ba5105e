import { type Clock, DependencyError, faultPoint } from '@weir/pipeline';
import { decodeCommitMetadata, encodeCommitMetadata, type LeaderOfCut } from './commit-metadata.ts';
import type { Committed, Membership, Positions } from './log.ts';
import type { ProgressLog } from './progress-log.ts';
import { INITIAL_STATE, type ReaderState } from './rows-reader.ts';

/** Where a sink that takes a rows partition over begins. */
export interface SinkStart {
  /** First offset that is not known to be in ClickHouse. */
  readonly offset: number;
  /** Last offset of the recorded cut, inclusive: exactly [offset..cut] is to be inserted first. Null: cut anew. */
  readonly cut: number | null;
  /** The reading rule's state before `offset`. */
  readonly state: ReaderState;
  /** Whether its lanes go in apart. */
  readonly apart: boolean;
  /** What was refused of the cut, by part. */
  readonly refused: RefusedOfCut;
  /** The other partitions whose records go in with the cut, in this order. */
  readonly members: readonly number[];
  /** The cut of another partition that this one's goes in with. */
  readonly leader: LeaderOfCut | undefined;
  /** Which owner this one is, counted. */
  readonly term: number;
}

/** The records [first..last] of one partition, which go in with a cut. */
export interface CutRange {
  readonly partition: number;
  readonly first: number;
  /** Inclusive. */
  readonly last: number;
  /** The reading rule's state before `first`. */
  readonly stateBefore: ReaderState;
  readonly stateAfter: ReaderState;
  /** Which owner of the partition cut it, counted. */
  readonly term: number;
}

/** What goes in together, and how. */
export interface Cut<R extends CutRange = CutRange> {
  /** Of different partitions, at least one. The first leads: it names the cut, and holds what is recorded of it. */
  readonly ranges: readonly R[];
  /** Whether its lanes go in apart. */
  readonly apart: boolean;
  /** What was recorded of it before. */
  readonly refused: RefusedOfCut;
}

/** Marks of RefusedUnits by the number of their part. */
export type RefusedOfCut = ReadonlyMap<number, string>;

const NOTHING: RefusedOfCut = new Map();

/** What the committed position says. Without one reading starts at the first retained record. */
export function sinkStart(committed: Committed | null, logStart: number): SinkStart {
  const nothing = { cut: null, apart: false, refused: NOTHING, members: [], leader: undefined } as const;
  if (committed === null) return { ...nothing, offset: logStart, state: INITIAL_STATE, term: 1 };
  const { mark, state, term = 0, ...cut } = decodeCommitMetadata(committed.metadata);
  return { ...nothing, ...cut, offset: committed.offset, cut: mark, state, term: term + 1 };
}

/**
 * Name of a part of a cut: all rows of a table, or those of one lane; ClickHouse drops an insert whose token it knows. Which
 * partitions go in with the leader's range is recorded once, so its range names them all. A lane needs one of its own: a view's
 * table may have the rows of several lanes in one partition, and there the token counts.
 *
 * @param lane 0 for what does not go in apart
 */
export function insertToken(
  table: string,
  topic: string,
  { partition, first, last }: Pick<CutRange, 'partition' | 'first' | 'last'>,
  lane = 0,
): string {
  return `${table}:${topic}:${partition}:${first}-${last}${lane === 0 ? '' : `:lane-${lane}`}`;
}

/** After this long a pause may have let another owner in: the cut is committed again before its insert starts. */
export const CUT_FRESH_MS = 3_000;
const RETRY_MS = 200;

/**
 * Recorded cuts, one after another. What a cut holds is inserted only between `record` and `settle`, so that whoever takes its
 * leader over rebuilds exactly that cut under the same tokens, and whoever takes another of its partitions waits for that. Every
 * method throws DependencyError `fenced` when the group has another generation: the cut is then no longer ours to insert.
 */
export class CutLedger {
  readonly #membership: Membership;
  readonly #clock: Clock;
  readonly #progress: ProgressLog;
  /** What the leader's position says. */
  #recorded: { readonly partition: number; readonly position: Committed } | undefined;
  #committedAtMs = 0;
  /** Commits follow each other: a later one must not be overwritten by an earlier one. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(membership: Membership, clock: Clock, progress: ProgressLog) {
    this.#membership = membership;
    this.#progress = progress;
    this.#clock = clock;
  }

  record(cut: Cut, signal: AbortSignal): Promise<void> {
    return this.#inTurn(async () => {
      faultPoint('sink.before_cut');
      await this.#commit(positionsOf(cut), signal);
      this.#recorded = recordOf(cut);
      faultPoint('sink.after_cut');
    });
  }

  /** To be called right before an insert starts: commits the cut again if that was long ago. */
  confirm(signal: AbortSignal): Promise<void> {
    return this.#inTurn(async () => {
      signal.throwIfAborted();
      const recorded = this.#recorded;
      if (recorded === undefined || this.#clock.nowMs() - this.#committedAtMs < CUT_FRESH_MS) return;
      await this.#commit(new Map([[recorded.partition, recorded.position]]), signal);
    });
  }

  /**
   * Records what was refused of a part of the cut, all of it, before anything is done about it: parts of what was
   * refused go in under tokens of their own, or to the DLQ, so whoever takes over must not insert it as a whole.
   */
  refuse(part: number, marks: string, signal: AbortSignal): Promise<void> {
    return this.#inTurn(async () => {
      if (this.#recorded === undefined) return;
      const { partition, position } = this.#recorded;
      const metadata = decodeCommitMetadata(position.metadata);
      const refused = new Map([...(metadata.refused ?? []), [part, marks]]);
      const next = { ...position, metadata: encodeCommitMetadata({ ...metadata, refused }) };
      await this.#commit(new Map([[partition, next]]), signal);
      this.#recorded = { partition, position: next };
      faultPoint('sink.after_refusal');
    });
  }

  /** All of the cut is in ClickHouse; `next` is recorded with the same commit. */
  settle(cut: Cut, next: Cut | null, signal: AbortSignal): Promise<void> {
    return this.#inTurn(async () => {
      const settled = cut.ranges.map(({ partition, last, stateAfter, term }): [number, Committed] => [
        partition,
        { offset: last + 1, metadata: encodeCommitMetadata({ mark: null, state: stateAfter, term }) },
      ]);
      await this.#commit(new Map([...settled, ...(next === null ? [] : positionsOf(next))]), signal);
      this.#recorded = next === null ? undefined : recordOf(next);
    });
  }

  #inTurn(work: () => Promise<void>): Promise<void> {
    const done = this.#last.then(work);
    this.#last = done.catch(() => undefined);
    return done;
  }

  async #commit(positions: Positions, signal: AbortSignal): Promise<void> {
    const startedMs = this.#clock.nowMs();
    await this.#membership.commit(positions, signal);
    signal.throwIfAborted();
    await this.#keep(positions, signal);
    // The time before the call: a pause during it counts as age.
    this.#committedAtMs = startedMs;
  }

  /** Tried until it is there: what is inserted afterwards must be found by whoever does not find the group's offset. */
  async #keep(positions: Positions, signal: AbortSignal): Promise<void> {
    for (;;) {
      try {
        return await this.#progress.put(positions, signal);
      } catch (error) {
        signal.throwIfAborted();
        if (!(error instanceof DependencyError) || !error.retryable) throw error;
        await this.#clock.sleep(RETRY_MS, signal);
      }
    }
  }
}

function positionsOf({ ranges, apart, refused }: Cut): Map<number, Committed> {
  const [leader, ...others] = ranges;
  const members = others.map(({ partition }) => partition);
  const led = { leader: { partition: leader!.partition, first: leader!.first } };
  return new Map(
    ranges.map(({ partition, first, last, stateBefore, term }) => {
      const what = partition === leader!.partition ? { apart, refused, members } : led;
      return [
        partition,
        { offset: first, metadata: encodeCommitMetadata({ mark: last, state: stateBefore, term, ...what }) },
      ];
    }),
  );
}

function recordOf(cut: Cut) {
  const { partition } = cut.ranges[0]!;
  return { partition, position: positionsOf(cut).get(partition)! };
}
