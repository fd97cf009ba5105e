import { type ClickHouse, onCluster, type SchemaTarget, tableName } from '@weir/clickhouse';
import { type ReplayPlan, shadowTable } from './plan.ts';

/** Which rows of the live tables a promotion replaces: written down before it deletes any. */
export const STALE = 'stale';
/** Raw records that runs of a promotion have to do with in another way than with the rest. */
export const PLACES = 'places';
/** What the replay could not store. */
export const DEAD = 'dead';

/** Tables of a replay's own: columns, and what they are ordered by. */
const OWN: Readonly<Record<string, readonly [columns: string, orderBy: string]>> = {
  [STALE]: ['TableName LowCardinality(String), RawPosition UInt64, Hash UInt64', '(TableName, RawPosition, Hash)'],
  [PLACES]: ['Run String, Kind LowCardinality(String), RawPosition UInt64', '(Run, Kind, RawPosition)'],
  [DEAD]: [
    'RawPosition UInt64, Nth UInt32, Reason LowCardinality(String), Items UInt64, Digest String',
    '(RawPosition, Nth)',
  ],
};

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
  for (const sql of ownTables(target, plan.id)) await clickhouse.command(sql, signal);
}

/** Statements that create what a replay has beside the shadows. Safe to run twice. */
export function ownTables(target: SchemaTarget, id: string): string[] {
  const engine = target.cluster === undefined ? 'MergeTree' : 'ReplicatedMergeTree';
  return Object.entries(OWN).map(
    ([name, [columns, orderBy]]) =>
      `CREATE TABLE IF NOT EXISTS ${tableName(target, shadowTable(id, name))}${onCluster(target)} (${columns}) ENGINE = ${engine}() ORDER BY ${orderBy}`,
  );
}

/** Removes them. Safe to run twice. */
export async function dropShadow(
  clickhouse: ClickHouse,
  target: SchemaTarget,
  plan: ReplayPlan,
  signal: AbortSignal,
): Promise<void> {
  for (const table of [...plan.tables, ...Object.keys(OWN)]) {
    await clickhouse.command(
      `DROP TABLE IF EXISTS ${tableName(target, shadowTable(plan.id, table))}${onCluster(target)} SYNC`,
      signal,
    );
  }
}
