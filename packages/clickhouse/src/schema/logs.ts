import { createTable, type Migration } from './migration.ts';
import { LC, MAP, OWNER_COLUMNS, PARTITION_BY, RETENTION_TTL } from './owner-columns.ts';

/** Resource attributes that ClickHouse keeps as columns of their own, named as the Collector's exporter names them. */
const MATERIALIZED_ATTRIBUTES = [
  'k8s.cluster.name',
  'k8s.container.name',
  'k8s.deployment.name',
  'k8s.namespace.name',
  'k8s.node.name',
  'k8s.pod.name',
  'k8s.pod.uid',
  'deployment.environment.name',
];

const LOG_COLUMNS = [
  ...OWNER_COLUMNS,
  'Timestamp DateTime64(9) CODEC(Delta(8), ZSTD(1))',
  'TimestampTime DateTime ALIAS toDateTime(Timestamp)',
  'TraceId String CODEC(ZSTD(1))',
  'SpanId String CODEC(ZSTD(1))',
  'TraceFlags UInt8',
  `SeverityText ${LC} CODEC(ZSTD(1))`,
  'SeverityNumber UInt8',
  `ServiceName ${LC} CODEC(ZSTD(1))`,
  'Body String CODEC(ZSTD(1))',
  `ResourceSchemaUrl ${LC} CODEC(ZSTD(1))`,
  `ResourceAttributes ${MAP} CODEC(ZSTD(1))`,
  `ScopeSchemaUrl ${LC} CODEC(ZSTD(1))`,
  'ScopeName String CODEC(ZSTD(1))',
  `ScopeVersion ${LC} CODEC(ZSTD(1))`,
  `ScopeAttributes ${MAP} CODEC(ZSTD(1))`,
  `LogAttributes ${MAP} CODEC(ZSTD(1))`,
  'EventName String CODEC(ZSTD(1))',
  ...MATERIALIZED_ATTRIBUTES.map(
    (key) => `\`__otel_materialized_${key}\` ${LC} MATERIALIZED ResourceAttributes['${key}'] CODEC(ZSTD(1))`,
  ),
  'INDEX idx_timestamp Timestamp TYPE minmax GRANULARITY 1',
  'INDEX idx_trace_id TraceId TYPE bloom_filter(0.001) GRANULARITY 1',
  'INDEX idx_res_attr_value mapValues(ResourceAttributes) TYPE bloom_filter(0.01) GRANULARITY 1',
  'INDEX idx_log_attr_value mapValues(LogAttributes) TYPE bloom_filter(0.01) GRANULARITY 1',
  'INDEX idx_lower_body lower(Body) TYPE tokenbf_v1(32768, 3, 0) GRANULARITY 8',
];

/** Log records. */
export const LOGS: Migration = {
  version: 2,
  name: 'logs',
  statements: (target) => [
    createTable(target, {
      table: 'otel_logs',
      engine: 'MergeTree()',
      columns: LOG_COLUMNS,
      partitionBy: PARTITION_BY,
      orderBy: '(TenantId, toStartOfFiveMinutes(Timestamp), ServiceName, toDateTime(Timestamp))',
      ttl: RETENTION_TTL,
    }),
  ],
};
