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
  /** Raw records that are read once more for what they say of their edges: a repeat follows soon, and 10,000 are some seconds. */
  marksRecordsMax: 10_000,
  commitMs: 1_000,
  retentionLookMs: 15_000,
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
