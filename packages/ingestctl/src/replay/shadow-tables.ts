import { type ClickHouse, onCluster, type SchemaTarget, tableName } from '@weir/clickhouse';
import { type ReplayPlan, shadowTable } from './plan.ts';

/** Which rows of the live tables a promotion replaces: written down before it deletes any. */
export const STALE = 'stale';

/** Creates the tables of a replay: engine, columns, keys and retention are those of the live ones. Safe to run twice. */
export async function createShadow(
  clickhouse: ClickHouse,
  target: SchemaTarget,
  plan: ReplayPlan,
  signal: AbortSignal,
): Promise<void> {
  for (const table of plan.tables) {
    await clickhouse.command(
      `CREATE TABLE IF NOT EXISTS ${tableName(target, shadowTable(plan.id, table))}${onCluster(target)} AS ${tableName(target, table)}`,
      signal,
    );
  }
}

/** Removes them. Safe to run twice. */
export async function dropShadow(
  clickhouse: ClickHouse,
  target: SchemaTarget,
  plan: ReplayPlan,
  signal: AbortSignal,
): Promise<void> {
  for (const table of [...plan.tables, STALE]) {
    await clickhouse.command(
      `DROP TABLE IF EXISTS ${tableName(target, shadowTable(plan.id, table))}${onCluster(target)} SYNC`,
      signal,
    );
  }
}
