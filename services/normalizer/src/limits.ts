import { invariant } from '@weir/pipeline';

const MIB = 1024 ** 2;

/** Bounds that do not depend on the operator's configuration, with the reason beside each. */
export const LIMITS = {
  /** One read of a raw partition; a larger record comes alone. */
  readBytesMax: MIB,
  readWaitMs: 500,
  /** After less than so many bytes, with nothing behind them, a partition is read again only so long after it was read. */
  gatherBytesMax: 256 * 1024,
  gatherMs: 100,
  /** Read once to learn how large records are before any is worked on. */
  sampleBytesMax: 64 * 1024,
  /** Decompressed exports of one rows record: its Native blocks are about as large. */
  recordBodyBytesMax: 8 * MIB,
  /**
   * Blocks and rows of one rows record, unless a single export has more: what one process holds, far below one block of
   * ClickHouse. Exports repeat their resource in every row, so the bodies alone bound nothing.
   */
  recordBlockBytesMax: 32 * MIB,
  recordRowsMax: 250_000,
  /**
   * Exports of one lane that hold less together share a block with those of other lanes: with three lanes of 32 KiB, blocks of
   * their own cost a quarter more than one, of 64 KiB and more nothing.
   */
  laneBodyBytesMin: 64 * 1024,
  /** Value of a rows record: the topic takes 12 MiB, header (4,096 edge marks: 96 KiB) and batch overhead included. */
  recordValueBytesMax: 11 * MIB,
  /** The edge splits what is larger; a body that inflates beyond it is not one of its records. */
  bodyBytesMax: 64 * MIB,
  commitMs: 1_000,
  retryMs: 200,
  /** A record of a tenant that is not known waits this long for the news of it, then is dead-lettered. */
  tenantWaitMs: 5_000,
  /** For this long a tenant that did not become known is not waited for again. */
  tenantUnknownMs: 60_000,
  tenantsUnknownMax: 1_000,
  /** A partition with lag that makes no progress for longer makes the normalizer not ready. */
  stuckMsMax: 20_000,
  /** A partition loop that gives no sign of life for longer makes the process not live. */
  silentMsMax: 300_000,
} as const;

invariant(LIMITS.recordBodyBytesMax <= LIMITS.bodyBytesMax, 'a record holds at least one body');
