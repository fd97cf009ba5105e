import { createTable, type Migration, onCluster, tableName } from './migration.ts';
import { LC, MAP, OWNER_COLUMNS, PARTITION_BY, RETENTION_TTL } from './owner-columns.ts';

const SPAN_COLUMNS = [
  ...OWNER_COLUMNS,
  'Timestamp DateTime64(9) CODEC(Delta(8), ZSTD(1))',
  'TraceId String CODEC(ZSTD(1))',
  'SpanId String CODEC(ZSTD(1))',
  'ParentSpanId String CODEC(ZSTD(1))',
  'TraceState String CODEC(ZSTD(1))',
  `SpanName ${LC} CODEC(ZSTD(1))`,
  `SpanKind ${LC} CODEC(ZSTD(1))`,
  `ServiceName ${LC} CODEC(ZSTD(1))`,
  `ResourceAttributes ${MAP} CODEC(ZSTD(1))`,
  'ScopeName String CODEC(ZSTD(1))',
  'ScopeVersion String CODEC(ZSTD(1))',
  `SpanAttributes ${MAP} CODEC(ZSTD(1))`,
  'Duration UInt64 CODEC(T64, ZSTD(1))',
  `StatusCode ${LC} CODEC(ZSTD(1))`,
  'StatusMessage String CODEC(ZSTD(1))',
  '`Events.Timestamp` Array(DateTime64(9)) CODEC(ZSTD(1))',
  `\`Events.Name\` Array(${LC}) CODEC(ZSTD(1))`,
  `\`Events.Attributes\` Array(${MAP}) CODEC(ZSTD(1))`,
  '`Links.TraceId` Array(String) CODEC(ZSTD(1))',
  '`Links.SpanId` Array(String) CODEC(ZSTD(1))',
  '`Links.TraceState` Array(String) CODEC(ZSTD(1))',
  `\`Links.Attributes\` Array(${MAP}) CODEC(ZSTD(1))`,
  'INDEX idx_timestamp Timestamp TYPE minmax GRANULARITY 1',
  'INDEX idx_duration Duration TYPE minmax GRANULARITY 1',
  'INDEX idx_trace_id TraceId TYPE bloom_filter(0.001) GRANULARITY 1',
  'INDEX idx_res_attr_value mapValues(ResourceAttributes) TYPE bloom_filter(0.01) GRANULARITY 1',
  'INDEX idx_span_attr_value mapValues(SpanAttributes) TYPE bloom_filter(0.01) GRANULARITY 1',
];

/** Spans, and the time range of each trace id that makes a look-up by id cheap. */
export const TRACES: Migration = {
  version: 1,
  name: 'traces',
  statements: (target) => [
    createTable(target, {
      table: 'otel_traces',
      engine: 'MergeTree()',
      columns: SPAN_COLUMNS,
      partitionBy: PARTITION_BY,
      // Errors apart from the others, so that those of a service lie together (ADR 0029).
      orderBy: '(TenantId, StatusCode, toStartOfFiveMinutes(Timestamp), ServiceName, SpanName, toDateTime(Timestamp))',
      ttl: RETENTION_TTL,
    }),
    createTable(target, {
      table: 'otel_traces_trace_id_ts',
      engine: 'AggregatingMergeTree()',
      columns: [
        'TenantId LowCardinality(String) CODEC(ZSTD(1))',
        'RetentionDays UInt16 CODEC(ZSTD(1))',
        'ReceivedDay SimpleAggregateFunction(max, Date) CODEC(ZSTD(1))',
        'TraceId String CODEC(ZSTD(1))',
        'Start SimpleAggregateFunction(min, DateTime) CODEC(ZSTD(1))',
        'End SimpleAggregateFunction(max, DateTime) CODEC(ZSTD(1))',
      ],
      // Weeks, so that a look-up over a month opens few parts.
      partitionBy: '(toMonday(ReceivedDay), RetentionDays)',
      orderBy: '(TenantId, TraceId)',
      ttl: RETENTION_TTL,
    }),
    [
      `CREATE MATERIALIZED VIEW IF NOT EXISTS ${tableName(target, 'otel_traces_trace_id_ts_mv')}${onCluster(target)}`,
      `TO ${tableName(target, 'otel_traces_trace_id_ts')} AS`,
      'SELECT TenantId, RetentionDays, ReceivedDay, TraceId, min(Timestamp) AS Start, max(Timestamp) AS End',
      `FROM ${tableName(target, 'otel_traces')}`,
      "WHERE TraceId != ''",
      'GROUP BY TenantId, RetentionDays, ReceivedDay, TraceId',
    ].join('\n'),
  ],
};
