/**
 * What Weir adds to every telemetry table. Partitions and retention go by the day on which the edge received the
 * export, not by the item's own time: a client can send any time it likes, but an insert touches only the days it was
 * received on, and old telemetry that was just accepted is kept for its retention instead of being dropped at once.
 */
export const OWNER_COLUMNS: readonly string[] = [
  'TenantId LowCardinality(String) CODEC(ZSTD(1))',
  'RetentionDays UInt16 CODEC(ZSTD(1))',
  'ReceivedDay Date CODEC(ZSTD(1))',
];

export const PARTITION_BY = '(ReceivedDay, RetentionDays)';

/** A Date ends in 2149: a retention of 100 years is the longest that never wraps. */
export const RETENTION_TTL = 'ReceivedDay + toIntervalDay(least(RetentionDays, 36500))';

export const LC = 'LowCardinality(String)';
export const MAP = `Map(${LC}, String)`;
