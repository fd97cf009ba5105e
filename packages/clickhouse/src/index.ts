export type { Migration, SchemaTarget } from './schema/migration.ts';
export { bootstrapStatements, MIGRATIONS, MIGRATIONS_TABLE } from './schema/migrations.ts';
