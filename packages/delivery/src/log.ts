/** A record as it stands in a partition. Buffers are the reader's until it lets go of them; they are never reused. */
export interface LogRecord {
  readonly offset: number;
  readonly timestampMs: number;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  /** The one header that Weir's records have, named `weir`; null where a record has none. */
  readonly meta: Buffer | null;
}

/** A record to be appended. */
export interface NewRecord {
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly meta: Buffer | null;
  /** The value is not compressed: the log may compress it with others. */
  readonly plain?: boolean;
}

/** One fetch of one partition. */
export interface LogPage {
  readonly records: readonly LogRecord[];
  /** Offset to fetch from next; may pass gaps (compaction, control records). */
  readonly nextOffset: number;
  /** First offset still retained. */
  readonly startOffset: number;
  /** One past the newest record. */
  readonly endOffset: number;
}

/**
 * Direct access to the partitions of a log, without any consumer group. The seam that the simulation fakes.
 * All methods throw DependencyError: `timeout` where it is not known whether an append happened.
 */
export interface Log {
  /**
   * Waits up to `maxWaitMs` for the first record at or after `offset`. An offset out of range throws code `rejected`. `maxBytes` is about
   * what the records hold; where they compress unusually well it may be up to 16 times as much.
   */
  read(
    topic: string,
    partition: number,
    offset: number,
    options: { readonly maxBytes: number; readonly maxWaitMs: number },
    signal: AbortSignal,
  ): Promise<LogPage>;
  /** First retained offset and one past the newest. */
  bounds(
    topic: string,
    partition: number,
    signal: AbortSignal,
  ): Promise<{ readonly start: number; readonly end: number }>;
  /**
   * One attempt, acks=all, all records in one batch and in order. Returns the offset of the first. The caller has at
   * most one append in flight for each partition; retrying is the caller's.
   */
  append(topic: string, partition: number, records: readonly NewRecord[], signal: AbortSignal): Promise<number>;
}

/** A committed position of a group in one partition. */
export interface Committed {
  readonly offset: number;
  /** At most 4,000 bytes. */
  readonly metadata: string;
}

/** Committed positions by partition. */
export type Positions = ReadonlyMap<number, Committed>;

/**
 * Revisions of the delivery protocol among the members of a group. From `lanes` on a member understands a cut whose lanes go in
 * apart, from `several` on one of several partitions; one that does not would repeat such a cut under other tokens.
 */
export const REVISIONS = { first: 1, lanes: 2, several: 3 } as const;

/** What a group tells its member. Both are called in order, never overlapping. */
export interface MembershipEvents {
  /**
   * The partitions that this process owns from now on; those not named are no longer its own. `revision` is the newest of the
   * protocol that all members of the group understand: what only a later one does must not be begun.
   */
  assigned(partitions: readonly number[], revision: number): void;
  /** Nothing is owned until the next `assigned`: a rebalance began, or the group was lost. */
  revoked(): void;
  /** The loop that joins and heartbeats begins another round, whatever came of the last one. */
  alive?(): void;
}

/** Membership of a consumer group on one topic: who owns which partition, and commits that only the present owner can make. */
export interface Membership {
  join(events: MembershipEvents, signal: AbortSignal): Promise<void>;
  committed(partition: number, signal: AbortSignal): Promise<Committed | null>;
  /**
   * Commits all of the positions with one write, as long as each is within its bound. At least one of the partitions must be this
   * member's, and it may answer for others.
   * Throws DependencyError `fenced` when another generation owns the group.
   */
  commit(positions: Positions, signal: AbortSignal): Promise<void>;
  leave(signal: AbortSignal): Promise<void>;
}
