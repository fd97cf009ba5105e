import type { ClickHouse } from '@weir/clickhouse';
import type { Context } from './context.ts';

/** A statement may look at whole days of the live tables, or wait for a mutation of them. */
const SILENCE_MS = 3_600_000;

/** ClickHouse for statements that take as long as they take: an hour of silence ends one, or the operator does. */
export function patientClickHouse(context: Context): ClickHouse {
  return context.clickhouse(SILENCE_MS);
}
