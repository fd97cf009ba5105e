/** Where the schema lives. */
export interface SchemaTarget {
  readonly database: string;
  /** Name of a ClickHouse cluster: statements run ON CLUSTER and tables are replicated. */
  readonly cluster?: string | undefined;
}

/**
 * One step of the schema. Steps are applied in the order of their versions, never changed once they are released, and
 * there is no way back. Each statement may be run twice, and by two appliers at once.
 */
export interface Migration {
  /** From 1, without gaps. */
  readonly version: number;
  readonly name: string;
  /** SQL, to be run one after the other. */
  readonly statements: (target: SchemaTarget) => readonly string[];
}

/** What a table's DDL is made of beside its columns. */
export interface TableDdl {
  readonly table: string;
  /** `MergeTree` or one of its kind, with arguments. */
  readonly engine: string;
  readonly columns: readonly string[];
  readonly partitionBy: string;
  readonly orderBy: string;
  readonly ttl: string;
}

/**
 * How many insert tokens a table remembers, each once for every partition of the table that the insert touches. A retry must
 * not come later than this many after the first try: at 16 partitions of Kafka's and a batch a second each, that is 1 h 44 min
 * where all rows are kept for the same time, and 35 min with three retentions.
 */
export const DEDUPLICATION_WINDOW = 100_000;

/** Replicated tables forget tokens by age too: a week, as long as Kafka is expected to keep rows. */
const DEDUPLICATION_WINDOW_S = 7 * 24 * 3_600;

const TABLE_SETTINGS = [
  'index_granularity = 8192',
  'ttl_only_drop_parts = 1',
  `non_replicated_deduplication_window = ${DEDUPLICATION_WINDOW}`,
  `replicated_deduplication_window = ${DEDUPLICATION_WINDOW}`,
  `replicated_deduplication_window_seconds = ${DEDUPLICATION_WINDOW_S}`,
].join(', ');

/** Quotes a name for SQL. */
export function quoteName(name: string): string {
  return `\`${name.replaceAll('\\', '\\\\').replaceAll('`', '\\`')}\``;
}

/** A string literal. */
export function quoteText(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
}

/** `database.table`, quoted. */
export function tableName(target: SchemaTarget, table: string): string {
  return `${quoteName(target.database)}.${quoteName(table)}`;
}

/** ` ON CLUSTER …` where the target names one. */
export function onCluster(target: SchemaTarget): string {
  return target.cluster === undefined ? '' : ` ON CLUSTER ${quoteName(target.cluster)}`;
}

/** CREATE TABLE IF NOT EXISTS, replicated where the target names a cluster. */
export function createTable(target: SchemaTarget, ddl: TableDdl): string {
  const engine = target.cluster === undefined ? ddl.engine : `Replicated${ddl.engine}`;
  return [
    `CREATE TABLE IF NOT EXISTS ${tableName(target, ddl.table)}${onCluster(target)} (`,
    `  ${ddl.columns.join(',\n  ')}`,
    `) ENGINE = ${engine}`,
    `PARTITION BY ${ddl.partitionBy}`,
    `ORDER BY ${ddl.orderBy}`,
    `TTL ${ddl.ttl}`,
    `SETTINGS ${TABLE_SETTINGS}`,
  ].join('\n');
}
