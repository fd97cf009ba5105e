import { invariant } from '@weir/pipeline';

const MIB = 1024 ** 2;

/** Bounds that do not depend on the operator's configuration, with the reason beside each. */
export const LIMITS = {
  /** One table's part must stay below one block of ClickHouse, which the insert token covers as a whole. */
  partRowsMax: 1_000_000,
  partBytesMax: 240 * MIB,
  /** One read of a rows partition; a larger record comes alone. */
  readBytesMax: 4 * MIB,
  readWaitMs: 500,
  /** A loop with nothing to do looks again after this, were it not woken. */
  pauseMsMax: 60_000,
  /** Inserts under way at once over all partitions: ClickHouse does better with few and large ones. */
  insertsMax: 4,
  insertRetryMs: 200,
  insertRetryMsMax: 5_000,
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
  reportMs: 1_000,
} as const;

invariant(LIMITS.partRowsMax < 1_048_449, 'a part must be below one block of ClickHouse');
invariant(LIMITS.partBytesMax < 256 * MIB, 'a part must be below one block of ClickHouse');
