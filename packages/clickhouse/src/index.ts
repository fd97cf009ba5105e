export { catchUp } from './catch-up.ts';
export { type BlocksInsert, type ClickHouse, type ClickHouseConfig, createClickHouse } from './client.ts';
export { type Migration, onCluster, quoteName, quoteText, type SchemaTarget, tableName } from './schema/migration.ts';
export { bootstrapStatements, MIGRATIONS } from './schema/migrations.ts';
export { applySchema, type MigrationState, type SchemaState, schemaState } from './schema-state.ts';
