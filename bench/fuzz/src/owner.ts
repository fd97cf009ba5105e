import type { RowOwner } from '@weir/testkit';

/** Whose all exports are, and when they came. */
export const OWNER: RowOwner = { tenant: 'fuzz', retentionDays: 30, receivedAtNs: 1_795_237_200_123_456_789n };
/** Spans that take longer are slow. */
export const SLOW_NS = 500_000_000;
