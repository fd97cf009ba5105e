/** Rows of any partitions of their table. */
export const MIXED_LANE = 0;

/** Retentions that are told apart; a prime, so that those in use are: 7, 30, 90, 365 days and the like all differ by it. */
const RETENTIONS = 127;
const DAYS = 2;

/**
 * The lane of rows that were received on one day and are kept for one time, 1 to 254: what the sink needs to know of the
 * partition (ReceivedDay, RetentionDays) that ClickHouse puts them into. It is one byte, so two partitions may have the same:
 * then an insert touches both, which costs more and is no less right.
 *
 * @param receivedDay days since the epoch
 */
export function laneOf(receivedDay: number, retentionDays: number): number {
  return 1 + (retentionDays % RETENTIONS) * DAYS + (receivedDay % DAYS);
}
