/**
 * The tables of the OpenTelemetry Collector's ClickHouse exporter (contrib, exporter/clickhouseexporter, v0.149.0, Apache-2.0),
 * as it makes them with its defaults on one node: internal/sqltemplates/{traces_table,traces_id_ts_lookup_table,
 * traces_id_ts_lookup_mv,logs_table}.sql. Its default has no TTL.
 */
const MAP = 'Map(LowCardinality(String), String) CODEC(ZSTD(1))';
const LC = 'LowCardinality(String) CODEC(ZSTD(1))';
const STRING = 'String CODEC(ZSTD(1))';
const SETTINGS = 'SETTINGS index_granularity = 8192, ttl_only_drop_parts = 1';

function bloomFilters(columns: readonly (readonly [string, string])[]): string {
  return columns
    .flatMap(([name, column]) => [
      `INDEX idx_${name}_attr_key mapKeys(${column}) TYPE bloom_filter(0.01) GRANULARITY 1`,
      `INDEX idx_${name}_attr_value mapValues(${column}) TYPE bloom_filter(0.01) GRANULARITY 1`,
    ])
    .join(',\n  ');
}

/** Spans, and the look-up of a trace's time by its id. */
export function contribTraces(database: string): string[] {
  return [
    `CREATE TABLE ${database}.otel_traces (
  Timestamp DateTime64(9) CODEC(Delta, ZSTD(1)), TraceId ${STRING}, SpanId ${STRING}, ParentSpanId ${STRING}, TraceState ${STRING},
  SpanName ${LC}, SpanKind ${LC}, ServiceName ${LC}, ResourceAttributes ${MAP}, ScopeName ${STRING}, ScopeVersion ${STRING},
  SpanAttributes ${MAP}, Duration UInt64 CODEC(ZSTD(1)), StatusCode ${LC}, StatusMessage ${STRING},
  Events Nested (Timestamp DateTime64(9), Name LowCardinality(String), Attributes Map(LowCardinality(String), String)) CODEC(ZSTD(1)),
  Links Nested (TraceId String, SpanId String, TraceState String, Attributes Map(LowCardinality(String), String)) CODEC(ZSTD(1)),
  INDEX idx_trace_id TraceId TYPE bloom_filter(0.001) GRANULARITY 1,
  ${bloomFilters([
    ['res', 'ResourceAttributes'],
    ['span', 'SpanAttributes'],
  ])},
  INDEX idx_duration Duration TYPE minmax GRANULARITY 1
) ENGINE = MergeTree() PARTITION BY toDate(Timestamp) ORDER BY (ServiceName, SpanName, toDateTime(Timestamp)) ${SETTINGS}`,
    `CREATE TABLE ${database}.otel_traces_trace_id_ts (
  TraceId ${STRING}, Start DateTime CODEC(Delta, ZSTD(1)), End DateTime CODEC(Delta, ZSTD(1)),
  INDEX idx_trace_id TraceId TYPE bloom_filter(0.01) GRANULARITY 1
) ENGINE = MergeTree() PARTITION BY toDate(Start) ORDER BY (TraceId, Start) ${SETTINGS}`,
    `CREATE MATERIALIZED VIEW ${database}.otel_traces_trace_id_ts_mv TO ${database}.otel_traces_trace_id_ts AS
SELECT TraceId, min(Timestamp) AS Start, max(Timestamp) AS End FROM ${database}.otel_traces WHERE TraceId != '' GROUP BY TraceId`,
  ];
}

const LOG_COLUMNS = `TraceId ${STRING}, SpanId ${STRING}, TraceFlags UInt8, SeverityText ${LC}, SeverityNumber UInt8, ServiceName ${LC},
  Body ${STRING}, ResourceSchemaUrl ${LC}, ResourceAttributes ${MAP}, ScopeSchemaUrl ${LC}, ScopeName ${STRING}, ScopeVersion ${LC},
  ScopeAttributes ${MAP}, LogAttributes ${MAP}, EventName ${STRING}`;
const LOG_MAPS = [
  ['res', 'ResourceAttributes'],
  ['scope', 'ScopeAttributes'],
  ['log', 'LogAttributes'],
] as const;

/** Logs. */
export function contribLogs(database: string): string {
  return `CREATE TABLE ${database}.otel_logs (
  Timestamp DateTime64(9) CODEC(Delta(8), ZSTD(1)), TimestampTime DateTime DEFAULT toDateTime(Timestamp), ${LOG_COLUMNS},
  INDEX idx_trace_id TraceId TYPE bloom_filter(0.001) GRANULARITY 1,
  ${bloomFilters(LOG_MAPS)},
  INDEX idx_body Body TYPE tokenbf_v1(32768, 3, 0) GRANULARITY 8
) ENGINE = MergeTree() PARTITION BY toDate(TimestampTime) PRIMARY KEY (ServiceName, TimestampTime)
ORDER BY (ServiceName, TimestampTime, Timestamp) ${SETTINGS}`;
}

/**
 * Logs of the exporter's v0.161.0 (logs_table.sql) on a ClickHouse that has text indexes, from 26.2 on: another key, text indexes for bloom
 * filters, and columns for common resource attributes. Its table of spans is that of v0.149.0.
 */
export function contribTextLogs(database: string): string {
  const attributes = [
    ...[
      'k8s.cluster.name',
      'k8s.container.name',
      'k8s.deployment.name',
      'k8s.namespace.name',
      'k8s.node.name',
      'k8s.pod.name',
    ],
    ...['k8s.pod.uid', 'deployment.environment.name'],
  ].map(
    (key) =>
      `\`__otel_materialized_${key}\` LowCardinality(String) MATERIALIZED ResourceAttributes['${key}'] CODEC(ZSTD(1))`,
  );
  const indexes = LOG_MAPS.flatMap(([name, column]) => [
    `INDEX idx_${name}_attr_key mapKeys(${column}) TYPE text(tokenizer = 'array')`,
    `INDEX idx_${name}_attr_value mapValues(${column}) TYPE text(tokenizer = 'array')`,
  ]);
  return `CREATE TABLE ${database}.otel_logs (
  Timestamp DateTime64(9) CODEC(Delta(8), ZSTD(1)), ${LOG_COLUMNS},
  ${attributes.join(',\n  ')},
  INDEX idx_trace_id TraceId TYPE text(tokenizer = 'array'),
  ${indexes.join(',\n  ')},
  INDEX idx_lower_body lower(Body) TYPE text(tokenizer = 'splitByNonAlpha')
) ENGINE = MergeTree() PARTITION BY toDate(Timestamp) ORDER BY (toStartOfFiveMinutes(Timestamp), ServiceName, Timestamp) ${SETTINGS}`;
}
