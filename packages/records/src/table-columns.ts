import type { TableName } from './tables.ts';

/** Name and ClickHouse type of one column. */
export interface TableColumn {
  readonly name: string;
  readonly type: string;
}

type Spec = Readonly<Record<string, string>>;

const LC = 'LowCardinality(String)';
const MAP = `Map(${LC}, String)`;
const TIME = 'DateTime64(9)';
const array = (type: string) => `Array(${type})`;

const OWNER: Spec = {
  TenantId: LC,
  RetentionDays: 'UInt16',
  /** The day (UTC) on which the edge received the export: partitions and retention go by it, see docs/adr. */
  ReceivedDay: 'Date',
  /** The raw record that the row comes from, as `rawPosition` says it. */
  RawPosition: 'UInt64',
};

const POINT: Spec = {
  ...OWNER,
  ResourceAttributes: MAP,
  ResourceSchemaUrl: 'String',
  ScopeName: 'String',
  ScopeVersion: 'String',
  ScopeAttributes: MAP,
  ScopeDroppedAttrCount: 'UInt32',
  ScopeSchemaUrl: 'String',
  ServiceName: LC,
  MetricName: LC,
  MetricDescription: 'String',
  MetricUnit: 'String',
  Attributes: MAP,
  StartTimeUnix: TIME,
  TimeUnix: TIME,
  Flags: 'UInt32',
};

const EXEMPLARS: Spec = {
  'Exemplars.FilteredAttributes': array(MAP),
  'Exemplars.TimeUnix': array(TIME),
  'Exemplars.Value': array('Float64'),
  'Exemplars.SpanId': array('String'),
  'Exemplars.TraceId': array('String'),
};

const TEMPORALITY: Spec = { AggregationTemporality: 'Int32' };
const RANGE: Spec = { Min: 'Float64', Max: 'Float64' };

const SPECS: Readonly<Record<TableName, Spec>> = {
  otel_traces: {
    ...OWNER,
    Timestamp: TIME,
    TraceId: 'String',
    SpanId: 'String',
    ParentSpanId: 'String',
    TraceState: 'String',
    SpanName: LC,
    SpanKind: LC,
    ServiceName: LC,
    ResourceAttributes: MAP,
    ScopeName: 'String',
    ScopeVersion: 'String',
    SpanAttributes: MAP,
    Duration: 'UInt64',
    StatusCode: LC,
    StatusMessage: 'String',
    'Events.Timestamp': array(TIME),
    'Events.Name': array(LC),
    'Events.Attributes': array(MAP),
    'Links.TraceId': array('String'),
    'Links.SpanId': array('String'),
    'Links.TraceState': array('String'),
    'Links.Attributes': array(MAP),
  },
  otel_logs: {
    ...OWNER,
    Timestamp: TIME,
    TraceId: 'String',
    SpanId: 'String',
    TraceFlags: 'UInt8',
    SeverityText: LC,
    SeverityNumber: 'UInt8',
    ServiceName: LC,
    Body: 'String',
    ResourceSchemaUrl: LC,
    ResourceAttributes: MAP,
    ScopeSchemaUrl: LC,
    ScopeName: 'String',
    ScopeVersion: LC,
    ScopeAttributes: MAP,
    LogAttributes: MAP,
    EventName: 'String',
  },
  otel_metrics_gauge: { ...POINT, Value: 'Float64', ...EXEMPLARS },
  otel_metrics_sum: { ...POINT, Value: 'Float64', ...EXEMPLARS, ...TEMPORALITY, IsMonotonic: 'Bool' },
  otel_metrics_histogram: {
    ...POINT,
    Count: 'UInt64',
    Sum: 'Float64',
    BucketCounts: array('UInt64'),
    ExplicitBounds: array('Float64'),
    ...EXEMPLARS,
    ...RANGE,
    ...TEMPORALITY,
  },
  otel_metrics_exponential_histogram: {
    ...POINT,
    Count: 'UInt64',
    Sum: 'Float64',
    Scale: 'Int32',
    ZeroCount: 'UInt64',
    PositiveOffset: 'Int32',
    PositiveBucketCounts: array('UInt64'),
    NegativeOffset: 'Int32',
    NegativeBucketCounts: array('UInt64'),
    ...EXEMPLARS,
    ...RANGE,
    ...TEMPORALITY,
  },
  otel_metrics_summary: {
    ...POINT,
    Count: 'UInt64',
    Sum: 'Float64',
    'ValueAtQuantiles.Quantile': array('Float64'),
    'ValueAtQuantiles.Value': array('Float64'),
  },
  weir_usage: {
    TenantId: LC,
    Signal: LC,
    Minute: 'DateTime',
    Outcome: LC,
    Reason: LC,
    /** What is taken back is negative. */
    Items: 'Int64',
    Bytes: 'Int64',
  },
};

/**
 * The columns of each table's Native blocks, in their order. The transcoder writes exactly these, the sink inserts
 * exactly these, and the schema's migrations create exactly these beside columns that ClickHouse fills itself.
 */
export const TABLE_COLUMNS = Object.fromEntries(
  Object.entries(SPECS).map(([table, spec]) => [
    table,
    Object.entries(spec).map(([name, type]): TableColumn => ({ name, type })),
  ]),
) as unknown as Readonly<Record<TableName, readonly TableColumn[]>>;

/** Columns that came later than the tables: blocks of normalizers from before, and letters of such rows, are without them. */
const LATER: ReadonlySet<string> = new Set(['RawPosition']);

/** What a table's block may look like, today's layout first. */
export function tableLayouts(table: TableName): readonly (readonly TableColumn[])[] {
  const columns = TABLE_COLUMNS[table];
  const before = columns.filter(({ name }) => !LATER.has(name));
  return before.length === columns.length ? [columns] : [columns, before];
}
