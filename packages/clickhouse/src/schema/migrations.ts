import { LEAN_PARTS } from './lean-parts.ts';
import { LOGS } from './logs.ts';
import { METRICS } from './metrics.ts';
import { type Migration, onCluster, quoteName, type SchemaTarget, tableName } from './migration.ts';
import { QUERY_INDEXES } from './query-indexes.ts';
import { RAW_POSITION } from './raw-position.ts';
import { SIGNED_USAGE } from './signed-usage.ts';
import { TRACES } from './traces.ts';
import { USAGE } from './usage.ts';

/** Every step of the schema, oldest first. Only ever append: what is released was applied somewhere. */
export const MIGRATIONS: readonly Migration[] = [
  TRACES,
  LOGS,
  METRICS,
  USAGE,
  SIGNED_USAGE,
  QUERY_INDEXES,
  LEAN_PARTS,
  RAW_POSITION,
];

/** The table that says which versions are applied: one row for each, and a row more for each time it was repeated. */
export const MIGRATIONS_TABLE = 'weir_schema_migrations';

/** What has to be there before the first migration: the database and the table of applied versions. */
export function bootstrapStatements(target: SchemaTarget): readonly string[] {
  const engine = target.cluster === undefined ? 'ReplacingMergeTree' : 'ReplicatedReplacingMergeTree';
  return [
    `CREATE DATABASE IF NOT EXISTS ${quoteName(target.database)}${onCluster(target)}`,
    [
      `CREATE TABLE IF NOT EXISTS ${tableName(target, MIGRATIONS_TABLE)}${onCluster(target)} (`,
      '  Version UInt32,',
      '  Name String,',
      '  AppliedAt DateTime64(3) DEFAULT now64(3)',
      `) ENGINE = ${engine}(AppliedAt)`,
      'ORDER BY Version',
    ].join('\n'),
  ];
}
