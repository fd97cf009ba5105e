import { type Clock, DependencyError, faultPoint } from '@weir/pipeline';
import { decodeCommitMetadata, encodeCommitMetadata } from './commit-metadata.ts';
import type { Committed, Membership } from './log.ts';
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
  /** Which owner this one is, counted. */
  readonly term: number;
}

/** What a batch is, and how it goes in. */
export interface Cut {
  readonly first: number;
  /** Inclusive. */
  readonly last: number;
  /** Whether its lanes go in apart. */
  readonly apart: boolean;
  /** What was recorded of it before. */
  readonly refused?: RefusedOfCut;
}

/** Marks of RefusedUnits by the number of their part. */
export type RefusedOfCut = ReadonlyMap<number, string>;

const NOTHING: RefusedOfCut = new Map();

/** What the committed position says. Without one reading starts at the first retained record. */
export function sinkStart(committed: Committed | null, logStart: number): SinkStart {
  const nothing = { cut: null, apart: false, refused: NOTHING } as const;
  if (committed === null) return { ...nothing, offset: logStart, state: INITIAL_STATE, term: 1 };
  const { mark, state, refused = NOTHING, term = 0, apart = false } = decodeCommitMetadata(committed.metadata);
  return { offset: committed.offset, cut: mark, apart, state, refused, term: term + 1 };
}

/**
 * Name of a part of one batch: all rows of a table, or those of one lane; ClickHouse drops an insert whose token it knows. A
 * lane needs one of its own: a view's table may have the rows of several lanes in one partition, and there the token counts.
 *
 * @param lane 0 for what does not go in apart
 */
export function insertToken(
  table: string,
  topic: string,
  partition: number,
  { first, last }: Pick<Cut, 'first' | 'last'>,
  lane = 0,
): string {
  return `${table}:${topic}:${partition}:${first}-${last}${lane === 0 ? '' : `:lane-${lane}`}`;
}

/** After this long a pause may have let another owner in: the cut is committed again before its insert starts. */
export const CUT_FRESH_MS = 3_000;
const RETRY_MS = 200;

/**
 * The recorded cut of one rows partition. A batch [first..last] is inserted only between `record` and `settle`, so that
 * whoever takes over rebuilds exactly that batch under the same tokens. Every method throws DependencyError `fenced`
 * when another member owns the partition: the batch is then no longer ours to insert.
 */
export class CutLedger {
  readonly #membership: Membership;
  readonly #partition: number;
  readonly #clock: Clock;
  readonly #progress: ProgressLog;
  readonly #term: number;
  #committed: Committed | undefined;
  #committedAtMs = 0;
  /** Commits of one partition follow each other: a later one must not be overwritten by an earlier one. */
  #last: Promise<unknown> = Promise.resolve();

  /** @param term as `sinkStart` says */
  constructor(membership: Membership, partition: number, clock: Clock, progress: ProgressLog, term: number) {
    this.#term = term;
    this.#membership = membership;
    this.#progress = progress;
    this.#partition = partition;
    this.#clock = clock;
  }

  /** Records a cut; `state` is the reading rule's before its first record. */
  record({ first, ...cut }: Cut, state: ReaderState, signal: AbortSignal): Promise<void> {
    const position = { offset: first, metadata: this.#metadata(cut, state) };
    return this.#inTurn(async () => {
      faultPoint('sink.before_cut');
      await this.#commit(position, signal);
      faultPoint('sink.after_cut');
    });
  }

  /** To be called right before an insert starts: commits the cut again if that was long ago. */
  confirm(signal: AbortSignal): Promise<void> {
    return this.#inTurn(async () => {
      signal.throwIfAborted();
      if (this.#committed === undefined || this.#clock.nowMs() - this.#committedAtMs < CUT_FRESH_MS) return;
      await this.#commit(this.#committed, signal);
    });
  }

  /**
   * Records what was refused of a part of the cut, all of it, before anything is done about it: parts of what was
   * refused go in under tokens of their own, or to the DLQ, so whoever takes over must not insert it as a whole.
   */
  refuse(part: number, marks: string, signal: AbortSignal): Promise<void> {
    return this.#inTurn(async () => {
      const committed = this.#committed;
      if (committed === undefined) return;
      const metadata = decodeCommitMetadata(committed.metadata);
      const refused = new Map([...(metadata.refused ?? []), [part, marks]]);
      await this.#commit({ ...committed, metadata: encodeCommitMetadata({ ...metadata, refused }) }, signal);
      faultPoint('sink.after_refusal');
    });
  }

  /** The batch up to `last` is in ClickHouse; `next` records the cut that follows with the same commit. */
  settle(last: number, state: ReaderState, next: Omit<Cut, 'first'> | null, signal: AbortSignal): Promise<void> {
    const position = { offset: last + 1, metadata: this.#metadata(next, state) };
    return this.#inTurn(() => this.#commit(position, signal));
  }

  #metadata(cut: Omit<Cut, 'first'> | null, state: ReaderState): string {
    const { last: mark, apart, refused } = cut ?? { last: null, apart: false };
    return encodeCommitMetadata({
      mark,
      state,
      term: this.#term,
      apart,
      ...(refused === undefined ? {} : { refused }),
    });
  }

  #inTurn(work: () => Promise<void>): Promise<void> {
    const done = this.#last.then(work);
    this.#last = done.catch(() => undefined);
    return done;
  }

  async #commit(position: Committed, signal: AbortSignal): Promise<void> {
    const startedMs = this.#clock.nowMs();
    await this.#membership.commit(this.#partition, position, signal);
    signal.throwIfAborted();
    await this.#keep(position, signal);
    this.#committed = position;
    // The time before the call: a pause during it counts as age.
    this.#committedAtMs = startedMs;
  }

  /** Tried until it is there: what is inserted afterwards must be found by whoever does not find the group's offset. */
  async #keep(position: Committed, signal: AbortSignal): Promise<void> {
    for (;;) {
      try {
        return await this.#progress.put(position, signal);
      } catch (error) {
        signal.throwIfAborted();
        if (!(error instanceof DependencyError) || !error.retryable) throw error;
        await this.#clock.sleep(RETRY_MS, signal);
      }
    }
  }
}
