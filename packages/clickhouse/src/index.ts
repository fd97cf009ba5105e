export { catchUp, catchUpStatements } from './catch-up.ts';
export { type BlocksInsert, type ClickHouse, type ClickHouseConfig, createClickHouse } from './client.ts';
export { fromClickHouseError } from './errors.ts';
export { type Migration, onCluster, quoteName, quoteText, type SchemaTarget, tableName } from './schema/migration.ts';
export { bootstrapStatements, MIGRATIONS, MIGRATIONS_TABLE } from './schema/migrations.ts';
export { applySchema, type MigrationState, type SchemaState, schemaState } from './schema-state.ts';
