import type { SignalKind } from '@weir/pipeline';
import type { TableName } from '@weir/records';
import { decodeExport, type OracleRequest } from '@weir/testkit';

/** Lines of JSONEachRow by table. */
export type PlainRows = Partial<Record<TableName, string[]>>;

type Attributes = OracleRequest<'traces'>['resourceSpans'][number]['scopeSpans'][number]['spans'][number]['attributes'];
type AnyValue = Attributes[number]['value'];
type Metric = OracleRequest<'metrics'>['resourceMetrics'][number]['scopeMetrics'][number]['metrics'][number];

const KINDS = ['Unspecified', 'Internal', 'Server', 'Client', 'Producer', 'Consumer'];
const CODES = ['Unset', 'Ok', 'Error'];

/**
 * The pinned reference of the guard: the plain way to bring an export into ClickHouse, which decodes it to objects with
 * @bufbuild/protobuf, makes an object of each row and writes JSONEachRow. It checks nothing and converts no units, so it does
 * less than the normalizer. Change it with care: every ratio that was kept is a ratio to it.
 */
export function plainRows(signal: SignalKind, body: Uint8Array, tenant: string, day: string): PlainRows {
  const owner = { TenantId: tenant, RetentionDays: 30, ReceivedDay: day };
  if (signal === 'traces') return { otel_traces: spanRows(decodeExport('traces', body), owner) };
  if (signal === 'logs') return { otel_logs: logRows(decodeExport('logs', body), owner) };
  return pointRows(decodeExport('metrics', body), owner);
}

function spanRows(request: OracleRequest<'traces'>, owner: object): string[] {
  const rows: string[] = [];
  for (const { resource, scopeSpans } of request.resourceSpans) {
    const resourceAttributes = mapOf(resource?.attributes ?? []);
    for (const { scope, spans } of scopeSpans) {
      for (const span of spans) {
        const row = {
          ...owner,
          Timestamp: time(span.startTimeUnixNano),
          TraceId: hex(span.traceId),
          SpanId: hex(span.spanId),
          ParentSpanId: hex(span.parentSpanId),
          TraceState: span.traceState,
          SpanName: span.name,
          SpanKind: KINDS[span.kind],
          ServiceName: resourceAttributes['service.name'] ?? '',
          ResourceAttributes: resourceAttributes,
          ScopeName: scope?.name ?? '',
          ScopeVersion: scope?.version ?? '',
          SpanAttributes: mapOf(span.attributes),
          Duration: Number(span.endTimeUnixNano - span.startTimeUnixNano),
          StatusCode: CODES[span.status?.code ?? 0],
          StatusMessage: span.status?.message ?? '',
          'Events.Timestamp': span.events.map((event) => time(event.timeUnixNano)),
          'Events.Name': span.events.map((event) => event.name),
          'Events.Attributes': span.events.map((event) => mapOf(event.attributes)),
          'Links.TraceId': span.links.map((link) => hex(link.traceId)),
          'Links.SpanId': span.links.map((link) => hex(link.spanId)),
          'Links.TraceState': span.links.map((link) => link.traceState),
          'Links.Attributes': span.links.map((link) => mapOf(link.attributes)),
        };
        rows.push(JSON.stringify(row));
      }
    }
  }
  return rows;
}

function logRows(request: OracleRequest<'logs'>, owner: object): string[] {
  const rows: string[] = [];
  for (const { resource, schemaUrl: resourceUrl, scopeLogs } of request.resourceLogs) {
    const resourceAttributes = mapOf(resource?.attributes ?? []);
    for (const { scope, schemaUrl: scopeUrl, logRecords } of scopeLogs) {
      const scopeAttributes = mapOf(scope?.attributes ?? []);
      for (const log of logRecords) {
        const row = {
          ...owner,
          Timestamp: time(log.timeUnixNano),
          TraceId: hex(log.traceId),
          SpanId: hex(log.spanId),
          TraceFlags: log.flags & 0xff,
          SeverityText: log.severityText,
          SeverityNumber: log.severityNumber,
          ServiceName: resourceAttributes['service.name'] ?? '',
          Body: textOf(log.body),
          ResourceSchemaUrl: resourceUrl,
          ResourceAttributes: resourceAttributes,
          ScopeSchemaUrl: scopeUrl,
          ScopeName: scope?.name ?? '',
          ScopeVersion: scope?.version ?? '',
          ScopeAttributes: scopeAttributes,
          LogAttributes: mapOf(log.attributes),
          EventName: log.eventName,
        };
        rows.push(JSON.stringify(row));
      }
    }
  }
  return rows;
}

function pointRows(request: OracleRequest<'metrics'>, owner: object): PlainRows {
  const rows: PlainRows = {};
  for (const { resource, schemaUrl: resourceUrl, scopeMetrics } of request.resourceMetrics) {
    const resourceAttributes = mapOf(resource?.attributes ?? []);
    for (const { scope, schemaUrl: scopeUrl, metrics } of scopeMetrics) {
      const origin = {
        ...owner,
        ResourceAttributes: resourceAttributes,
        ResourceSchemaUrl: resourceUrl,
        ScopeName: scope?.name ?? '',
        ScopeVersion: scope?.version ?? '',
        ScopeAttributes: mapOf(scope?.attributes ?? []),
        ScopeDroppedAttrCount: scope?.droppedAttributesCount ?? 0,
        ScopeSchemaUrl: scopeUrl,
        ServiceName: resourceAttributes['service.name'] ?? '',
      };
      for (const metric of metrics) {
        const { name, description, unit } = metric;
        const header = { ...origin, MetricName: name, MetricDescription: description, MetricUnit: unit };
        addPoints(metric, header, rows);
      }
    }
  }
  return rows;
}

function addPoints({ data }: Metric, header: object, rows: PlainRows): void {
  if (data.case !== 'gauge' && data.case !== 'sum' && data.case !== 'histogram') return;
  rows[`otel_metrics_${data.case}`] ??= [];
  const table = rows[`otel_metrics_${data.case}`]!;
  const ofMetric = {
    ...(data.case === 'gauge' ? {} : { AggregationTemporality: data.value.aggregationTemporality }),
    ...(data.case === 'sum' ? { IsMonotonic: data.value.isMonotonic } : {}),
  };
  for (const point of data.value.dataPoints) {
    const ofPoint =
      'bucketCounts' in point
        ? {
            Count: Number(point.count),
            Sum: point.sum ?? 0,
            BucketCounts: point.bucketCounts.map(Number),
            ExplicitBounds: point.explicitBounds,
            Min: point.min ?? 0,
            Max: point.max ?? 0,
          }
        : { Value: Number(point.value.value ?? 0) };
    const row = {
      ...header,
      Attributes: mapOf(point.attributes),
      StartTimeUnix: time(point.startTimeUnixNano),
      TimeUnix: time(point.timeUnixNano),
      Flags: point.flags,
      ...ofPoint,
      'Exemplars.FilteredAttributes': point.exemplars.map((exemplar) => mapOf(exemplar.filteredAttributes)),
      'Exemplars.TimeUnix': point.exemplars.map((exemplar) => time(exemplar.timeUnixNano)),
      'Exemplars.Value': point.exemplars.map((exemplar) => Number(exemplar.value.value ?? 0)),
      'Exemplars.SpanId': point.exemplars.map((exemplar) => hex(exemplar.spanId)),
      'Exemplars.TraceId': point.exemplars.map((exemplar) => hex(exemplar.traceId)),
      ...ofMetric,
    };
    table.push(JSON.stringify(row));
  }
}

function mapOf(attributes: Attributes): Record<string, string> {
  const map: Record<string, string> = {};
  for (const { key, value } of attributes) map[key] = textOf(value);
  return map;
}

function textOf(value: AnyValue): string {
  const one = value?.value;
  if (one?.case === undefined) return '';
  if (one.case === 'stringValue') return one.value;
  if (one.case === 'bytesValue') return Buffer.from(one.value).toString('base64');
  if (one.case === 'kvlistValue') return JSON.stringify(mapOf(one.value.values));
  if (one.case === 'arrayValue') return JSON.stringify(one.value.values.map(textOf));
  return String(one.value);
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('hex');
}

/** Seconds since the epoch with nine places, which ClickHouse takes for a DateTime64(9). */
function time(ns: bigint): string {
  const digits = ns.toString().padStart(10, '0');
  return `${digits.slice(0, -9)}.${digits.slice(-9)}`;
}
