import type { ClickHouse } from './client.ts';
import { onCluster, type SchemaTarget, tableName } from './schema/migration.ts';

/**
 * Statements after which every replica of the tables has what any of them had before, so that what is read or decided then
 * takes no row for missing that a replica has not fetched yet. None where there is no cluster.
 */
export function catchUpStatements(target: SchemaTarget, tables: readonly string[]): string[] {
  if (target.cluster === undefined) return [];
  return tables.map((table) => `SYSTEM SYNC REPLICA${onCluster(target)} ${tableName(target, table)}`);
}

/** Resolves once the replicas are so far. @throws DependencyError where one does not answer, or stays behind too long */
export async function catchUp(
  clickhouse: ClickHouse,
  target: SchemaTarget,
  tables: readonly string[],
  signal: AbortSignal,
): Promise<void> {
  for (const sql of catchUpStatements(target, tables)) await clickhouse.command(sql, signal);
}
