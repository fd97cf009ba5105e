import { invariant } from '@weir/pipeline';

const MIB = 1024 ** 2;

/** Bounds that do not depend on the operator's configuration, with the reason beside each. */
export const LIMITS = {
  /** One table's part must stay below one block of ClickHouse, which the insert token covers as a whole. */
  partRowsMax: 1_000_000,
  partBytesMax: 240 * MIB,
  /** One read of a rows partition; a larger record comes alone. What is read for all partitions at once stays in memory until the last of it is stored. */
  readBytesMax: MIB,
  /** The least that a batch of one partition may hold, however many a sink has: some of the largest records. */
  partitionBytesMin: 2 * MIB,
  readWaitMs: 500,
  /** Read of a partition before any of it is worked on, to know how much waits: of its newest records, the first of these bytes. */
  sampleRecords: 16,
  sampleBytesMax: 64 * 1024,
  /** A partition whose buffer is full looks again after this, were it not woken by what was stored. */
  fullLookMs: 1_000,
  /** A loop with nothing to do looks again after this, were it not woken. */
  pauseMsMax: 60_000,
  /** Inserts under way at once over all partitions: ClickHouse does better with few and large ones. */
  insertsMax: 4,
  /** How often it is looked whether another sink has stored the cut that a partition is in. */
  leaderLookMs: 200,
  /** Letters of one append to weir.dlq, or one letter alone. */
  lettersBytesMax: 4 * MIB,
  /**
   * Rows of a lane for which an insert of its own pays: it costs ClickHouse some 6 ms, and saves it 3 µs a row. So a batch of a
   * million rows has at most 250 parts of lanes, and what is refused of them has room in a commit. Another number needs a new version of the commit's
   * metadata: a cut is made and made again by the same.
   */
  laneRowsMin: 4_000,
  insertRetryMs: 200,
  insertRetryMsMax: 5_000,
  /**
   * Units of one cut that are split because they were refused; what is refused after that goes to weir.dlq as it is. A cut of
   * nothing but bad rows costs about four times as many tries, and the commit's metadata has room for them.
   */
  splitsMax: 500,
  /** Inserts that fail for longer make the sink not ready. */
  failingMsMax: 15_000,
  /** So does one batch that takes longer, whether its inserts fail or hang. */
  insertingMsMax: 30_000,
  /** A partition that has something to store, inserts nothing, and stores nothing for longer does not move. */
  stuckMsMax: 20_000,
  /** A request may take 120 s, and the pause before the next one 5 s. */
  failureMsMax: 130_000,
  /** A partition loop that gives no sign of life for longer makes the process not live. */
  silentMsMax: 300_000,
  dlqLookMs: 10_000,
  retentionLookMs: 15_000,
} as const;

invariant(LIMITS.partRowsMax < 1_048_449, 'a part must be below one block of ClickHouse');
invariant(LIMITS.partBytesMax < 256 * MIB, 'a part must be below one block of ClickHouse');
