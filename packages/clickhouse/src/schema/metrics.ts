import { createTable, type Migration, onCluster, type SchemaTarget, tableName } from './migration.ts';
import { LC, MAP, OWNER_COLUMNS, PARTITION_BY, RETENTION_TTL } from './owner-columns.ts';

const POINT_COLUMNS = [
  ...OWNER_COLUMNS,
  `ResourceAttributes ${MAP} CODEC(ZSTD(1))`,
  'ResourceSchemaUrl String CODEC(ZSTD(1))',
  'ScopeName String CODEC(ZSTD(1))',
  'ScopeVersion String CODEC(ZSTD(1))',
  `ScopeAttributes ${MAP} CODEC(ZSTD(1))`,
  'ScopeDroppedAttrCount UInt32 CODEC(ZSTD(1))',
  'ScopeSchemaUrl String CODEC(ZSTD(1))',
  `ServiceName ${LC} CODEC(ZSTD(1))`,
  `MetricName ${LC} CODEC(ZSTD(1))`,
  'MetricDescription String CODEC(ZSTD(1))',
  'MetricUnit String CODEC(ZSTD(1))',
  `Attributes ${MAP} CODEC(ZSTD(1))`,
  'StartTimeUnix DateTime64(9) CODEC(Delta(8), ZSTD(1))',
  'TimeUnix DateTime64(9) CODEC(Delta(8), ZSTD(1))',
  'Flags UInt32 CODEC(ZSTD(1))',
];

const POINT_INDEXES = [
  'INDEX idx_time TimeUnix TYPE minmax GRANULARITY 1',
  'INDEX idx_res_attr_value mapValues(ResourceAttributes) TYPE bloom_filter(0.01) GRANULARITY 1',
  'INDEX idx_attr_value mapValues(Attributes) TYPE bloom_filter(0.01) GRANULARITY 1',
];

const EXEMPLAR_COLUMNS = [
  `\`Exemplars.FilteredAttributes\` Array(${MAP}) CODEC(ZSTD(1))`,
  '`Exemplars.TimeUnix` Array(DateTime64(9)) CODEC(ZSTD(1))',
  '`Exemplars.Value` Array(Float64) CODEC(ZSTD(1))',
  '`Exemplars.SpanId` Array(String) CODEC(ZSTD(1))',
  '`Exemplars.TraceId` Array(String) CODEC(ZSTD(1))',
];

const VALUE = 'Value Float64 CODEC(ZSTD(1))';
const TEMPORALITY = 'AggregationTemporality Int32 CODEC(ZSTD(1))';
const COUNT_AND_SUM = ['Count UInt64 CODEC(Delta(8), ZSTD(1))', 'Sum Float64 CODEC(ZSTD(1))'];
const MIN_AND_MAX = ['Min Float64 CODEC(ZSTD(1))', 'Max Float64 CODEC(ZSTD(1))'];

const KINDS: Readonly<Record<string, readonly string[]>> = {
  otel_metrics_gauge: [VALUE, ...EXEMPLAR_COLUMNS],
  otel_metrics_sum: [VALUE, ...EXEMPLAR_COLUMNS, TEMPORALITY, 'IsMonotonic Bool CODEC(ZSTD(1))'],
  otel_metrics_histogram: [
    ...COUNT_AND_SUM,
    'BucketCounts Array(UInt64) CODEC(ZSTD(1))',
    'ExplicitBounds Array(Float64) CODEC(ZSTD(1))',
    ...EXEMPLAR_COLUMNS,
    ...MIN_AND_MAX,
    TEMPORALITY,
  ],
  otel_metrics_exponential_histogram: [
    ...COUNT_AND_SUM,
    'Scale Int32 CODEC(ZSTD(1))',
    'ZeroCount UInt64 CODEC(ZSTD(1))',
    'PositiveOffset Int32 CODEC(ZSTD(1))',
    'PositiveBucketCounts Array(UInt64) CODEC(ZSTD(1))',
    'NegativeOffset Int32 CODEC(ZSTD(1))',
    'NegativeBucketCounts Array(UInt64) CODEC(ZSTD(1))',
    ...EXEMPLAR_COLUMNS,
    ...MIN_AND_MAX,
    TEMPORALITY,
  ],
  otel_metrics_summary: [
    ...COUNT_AND_SUM,
    '`ValueAtQuantiles.Quantile` Array(Float64) CODEC(ZSTD(1))',
    '`ValueAtQuantiles.Value` Array(Float64) CODEC(ZSTD(1))',
  ],
};

/** Data points, a table for each kind. */
export const METRICS: Migration = {
  version: 3,
  name: 'metrics',
  statements: (target) => [
    ...Object.entries(KINDS).map(([table, columns]) =>
      createTable(target, {
        table,
        engine: 'MergeTree()',
        columns: [...POINT_COLUMNS, ...columns, ...POINT_INDEXES],
        partitionBy: PARTITION_BY,
        // Without the attributes: a hash of them in the key doubles what merges cost and saves no space.
        orderBy: '(TenantId, MetricName, ServiceName, toDateTime(TimeUnix))',
        ttl: RETENTION_TTL,
      }),
    ),
    shortName(target),
  ],
};

/** The Collector's exporter calls the table otel_metrics_exp_histogram, HyperDX by the long name. */
function shortName(target: SchemaTarget): string {
  const view = tableName(target, 'otel_metrics_exp_histogram');
  const table = tableName(target, 'otel_metrics_exponential_histogram');
  return `CREATE VIEW IF NOT EXISTS ${view}${onCluster(target)} AS SELECT * FROM ${table}`;
}
