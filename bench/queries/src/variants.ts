/** A change of Weir's tables that was or may be measured. */
export interface Variant {
  readonly name: string;
  /** What is run after the schema is applied. */
  readonly statements: (database: string) => readonly string[];
  /** Rows come sorted by the tables' keys; the sorting is not part of the insert. */
  readonly sorted?: boolean;
}

const TABLES = ['otel_traces', 'otel_logs'] as const;
const INDEXES = {
  otel_traces: ['idx_timestamp', 'idx_duration', 'idx_trace_id', 'idx_res_attr_value', 'idx_span_attr_value'],
  otel_logs: ['idx_timestamp', 'idx_trace_id', 'idx_res_attr_value', 'idx_log_attr_value', 'idx_lower_body'],
};
const addIndex = (table: string, index: string) => `ALTER TABLE ${table} ADD INDEX ${index} GRANULARITY 1`;

export const VARIANTS: readonly Variant[] = [
  {
    name: 'both',
    statements: (db) => [
      addIndex(`${db}.otel_traces_trace_id_ts`, 'idx_trace_id TraceId TYPE bloom_filter(0.01)'),
      ...TABLES.map((table) => addIndex(`${db}.${table}`, 'idx_service ServiceName TYPE set(100)')),
    ],
  },
  {
    name: 'lookup-bloom',
    statements: (db) => [addIndex(`${db}.otel_traces_trace_id_ts`, 'idx_trace_id TraceId TYPE bloom_filter(0.01)')],
  },
  {
    name: 'service-set',
    statements: (db) => TABLES.map((table) => addIndex(`${db}.${table}`, 'idx_service ServiceName TYPE set(100)')),
  },
  {
    name: 'service-bloom',
    statements: (db) =>
      TABLES.map((table) => addIndex(`${db}.${table}`, 'idx_service ServiceName TYPE bloom_filter(0.01)')),
  },
  {
    name: 'body-text',
    statements: (db) => [
      `ALTER TABLE ${db}.otel_logs DROP INDEX idx_lower_body`,
      `ALTER TABLE ${db}.otel_logs ADD INDEX idx_body_text lower(Body) TYPE text(tokenizer = 'splitByNonAlpha')`,
    ],
  },
  {
    name: 'bare',
    statements: (db) =>
      TABLES.flatMap((table) => INDEXES[table].map((index) => `ALTER TABLE ${db}.${table} DROP INDEX ${index}`)),
  },
  { name: 'sorted', statements: () => [], sorted: true },
];
