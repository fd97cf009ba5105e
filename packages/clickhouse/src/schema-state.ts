import type { ClickHouse } from './client.ts';
import type { SchemaTarget } from './schema/migration.ts';
import { tableName } from './schema/migration.ts';
import { bootstrapStatements, MIGRATIONS, MIGRATIONS_TABLE } from './schema/migrations.ts';

/** One step of the schema, and whether this database has it. */
export interface MigrationState {
  readonly version: number;
  readonly name: string;
  readonly applied: boolean;
}

/** What the database has. Versions above what this program knows were applied by a newer one. */
export interface SchemaState {
  readonly migrations: readonly MigrationState[];
  readonly newer: readonly number[];
}

/**
 * Brings the database to the newest version. Safe to run twice and side by side: every statement can be repeated.
 * Returns the versions that were applied now. @throws DependencyError
 */
export async function applySchema(
  clickhouse: ClickHouse,
  target: SchemaTarget,
  signal: AbortSignal,
): Promise<number[]> {
  for (const statement of bootstrapStatements(target)) await clickhouse.command(statement, signal);
  const applied = await appliedVersions(clickhouse, target, signal);
  const now: number[] = [];
  for (const { version, name, statements } of MIGRATIONS) {
    if (applied.has(version)) continue;
    signal.throwIfAborted();
    for (const statement of statements(target)) await clickhouse.command(statement, signal);
    await clickhouse.command(
      `INSERT INTO ${tableName(target, MIGRATIONS_TABLE)} (Version, Name) VALUES (${version}, '${name}')`,
      signal,
    );
    now.push(version);
  }
  return now;
}

/** Which steps are applied. A database that is not there has none. @throws DependencyError */
export async function schemaState(
  clickhouse: ClickHouse,
  target: SchemaTarget,
  signal: AbortSignal,
): Promise<SchemaState> {
  const found = await clickhouse.query<{ n: string }>(
    'SELECT count() AS n FROM system.tables WHERE database = {database:String} AND name = {table:String}',
    { database: target.database, table: MIGRATIONS_TABLE },
    signal,
  );
  const applied = Number(found[0]?.n) > 0 ? await appliedVersions(clickhouse, target, signal) : new Set<number>();
  const known = new Set(MIGRATIONS.map(({ version }) => version));
  return {
    migrations: MIGRATIONS.map(({ version, name }) => ({ version, name, applied: applied.has(version) })),
    newer: [...applied].filter((version) => !known.has(version)),
  };
}

async function appliedVersions(
  clickhouse: ClickHouse,
  target: SchemaTarget,
  signal: AbortSignal,
): Promise<Set<number>> {
  const sql = `SELECT DISTINCT Version AS version FROM ${tableName(target, MIGRATIONS_TABLE)}`;
  const rows = await clickhouse.query<{ version: number }>(sql, {}, signal);
  return new Set(rows.map(({ version }) => Number(version)));
}
