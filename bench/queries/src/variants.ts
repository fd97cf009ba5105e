/** A change of Weir's tables that was or may be measured. */
export interface Variant {
  readonly name: string;
  /** What is run after the schema is applied. */
  readonly statements: (database: string) => readonly string[];
  /** Changes the statements of the schema itself. */
  readonly rewrite?: (statement: string) => string;
  /** Rows come sorted by the tables' keys; the sorting is not part of the insert. */
  readonly sorted?: boolean;
}

const TABLES = ['otel_traces', 'otel_logs'] as const;
const INDEXES = {
  otel_traces: [
    'idx_timestamp',
    'idx_duration',
    'idx_trace_id',
    'idx_res_attr_value',
    'idx_span_attr_value',
    'idx_service',
  ],
  otel_logs: [
    'idx_timestamp',
    'idx_trace_id',
    'idx_res_attr_value',
    'idx_log_attr_value',
    'idx_lower_body',
    'idx_service',
  ],
};
const drop = (table: string, index: string) => `ALTER TABLE ${table} DROP INDEX ${index}`;
const dropService = (db: string) => TABLES.map((table) => drop(`${db}.${table}`, 'idx_service'));
const dropLookup = (db: string) => [drop(`${db}.otel_traces_trace_id_ts`, 'idx_trace_id')];

/** What step 7 changed, as the engine has it by itself. */
const FORMER_PARTS = 'min_level_for_wide_part = 0, propagate_types_serialization_versions_to_nested_types = 1';
const FORMER_STATISTICS = "auto_statistics_types = 'basic, uniq_v2'";
const setAll = (db: string, settings: string) =>
  [...TABLES, 'otel_traces_trace_id_ts'].map((table) => `ALTER TABLE ${db}.${table} MODIFY SETTING ${settings}`);

/** Granules of so many rows; the index on bodies is for as many rows as before. */
const granules = (rows: number): Variant => ({
  name: `granule-${rows}`,
  statements: () => [],
  rewrite: (statement) =>
    statement
      .replace('index_granularity = 8192', `index_granularity = ${rows}`)
      .replace('tokenbf_v1(32768, 3, 0) GRANULARITY 8', `tokenbf_v1(32768, 3, 0) GRANULARITY ${65_536 / rows}`),
});

const FIVE_MINUTES = 'toStartOfFiveMinutes(Timestamp)';
const HOUR = 'toStartOfHour(Timestamp)';

/** Spans have these columns between the tenant and the name in their key. */
const key = (name: string, columns: string): Variant => ({
  name,
  statements: () => [],
  rewrite: (statement) =>
    statement.replace(`(TenantId, StatusCode, ${FIVE_MINUTES}, ServiceName,`, `(TenantId, ${columns},`),
});

export const VARIANTS: readonly Variant[] = [
  granules(4_096),
  granules(2_048),
  { name: 'no-service-index', statements: dropService },
  { name: 'no-lookup-index', statements: dropLookup },
  {
    name: 'service-set',
    statements: (db) => [
      ...dropService(db),
      ...TABLES.map(
        (table) => `ALTER TABLE ${db}.${table} ADD INDEX idx_service ServiceName TYPE set(100) GRANULARITY 1`,
      ),
    ],
  },
  {
    name: 'service-projection',
    statements: (db) => [
      `ALTER TABLE ${db}.otel_traces ADD PROJECTION by_service (SELECT _part_offset ORDER BY ServiceName, StatusCode, Timestamp)`,
    ],
  },
  {
    name: 'body-text',
    statements: (db) => [
      drop(`${db}.otel_logs`, 'idx_lower_body'),
      `ALTER TABLE ${db}.otel_logs ADD INDEX idx_body_text lower(Body) TYPE text(tokenizer = 'splitByNonAlpha')`,
    ],
  },
  {
    name: 'bare',
    statements: (db) => [
      ...TABLES.flatMap((table) => INDEXES[table].map((index) => drop(`${db}.${table}`, index))),
      ...dropLookup(db),
    ],
  },
  key('no-status-key', `${FIVE_MINUTES}, ServiceName`),
  key('hour-key', `${HOUR}, ServiceName`),
  key('hour-status-key', `${HOUR}, ServiceName, StatusCode`),
  { name: 'before-lean-parts', statements: (db) => setAll(db, `${FORMER_PARTS}, ${FORMER_STATISTICS}`) },
  { name: 'statistics', statements: (db) => setAll(db, FORMER_STATISTICS) },
  { name: 'selector-10', statements: (db) => setAll(db, 'merge_selector_base = 10') },
  { name: 'sorted', statements: () => [], sorted: true },
];
