/**
 * The OTLP messages (opentelemetry-proto 1.11.0) as data: field numbers, JSON names and kinds. One table drives the
 * structure check, the JSON reader and the splitter, so that they cannot disagree about the format.
 */

/** How a field is written. The number is what the compiled tables hold. */
export const KIND = {
  unknown: 0,
  /** uint32, int64, bool or enum as a varint. */
  varint: 1,
  /** sint32 as a zigzag varint. */
  zigzag: 2,
  /** fixed64 or sfixed64. */
  fixed64: 3,
  double: 4,
  fixed32: 5,
  string: 6,
  bytes: 7,
  message: 8,
  /** repeated fixed64, packed or not. */
  packedFixed64: 9,
  /** repeated double, packed or not. */
  packedDouble: 10,
  /** repeated uint64 as varints, packed or not. */
  packedVarint: 11,
} as const;

export type KindName = Exclude<keyof typeof KIND, 'unknown'>;

/** What a number in JSON may be. */
export type NumberRule = 'uint32' | 'int32' | 'uint64' | 'int64' | 'bool' | 'enum';

export interface FieldSpec {
  readonly number: number;
  readonly name: string;
  readonly kind: KindName;
  readonly repeated?: boolean;
  /** The message of a `message` field. */
  readonly message?: MessageName;
  /** Written as hex in JSON, not as base64: trace and span ids. */
  readonly hex?: boolean;
  readonly rule?: NumberRule;
  /** Fields of one group exclude one another; the last one on the wire counts. */
  readonly oneof?: string;
}

const f = (
  number: number,
  name: string,
  kind: KindName,
  more: Omit<Partial<FieldSpec>, 'number' | 'name' | 'kind'> = {},
) => ({ number, name, kind, ...more }) satisfies FieldSpec;
const list = (number: number, name: string, message: MessageName) =>
  f(number, name, 'message', { message, repeated: true });
const attributes = (number: number, name = 'attributes') => list(number, name, 'KeyValue');
const count = (number: number, name: string) => f(number, name, 'varint', { rule: 'uint32' });
const time = (number: number, name: string) => f(number, name, 'fixed64', { rule: 'uint64' });
const id = (number: number, name: string) => f(number, name, 'bytes', { hex: true });

export const MESSAGE_NAMES = [
  'ExportTraceServiceRequest',
  'ExportLogsServiceRequest',
  'ExportMetricsServiceRequest',
  'ResourceSpans',
  'ResourceLogs',
  'ResourceMetrics',
  'ScopeSpans',
  'ScopeLogs',
  'ScopeMetrics',
  'Resource',
  'EntityRef',
  'InstrumentationScope',
  'KeyValue',
  'AnyValue',
  'ArrayValue',
  'KeyValueList',
  'Span',
  'Event',
  'Link',
  'Status',
  'LogRecord',
  'Metric',
  'Gauge',
  'Sum',
  'Histogram',
  'ExponentialHistogram',
  'Summary',
  'NumberDataPoint',
  'HistogramDataPoint',
  'ExponentialHistogramDataPoint',
  'Buckets',
  'SummaryDataPoint',
  'ValueAtQuantile',
  'Exemplar',
] as const;

export type MessageName = (typeof MESSAGE_NAMES)[number];

const resource = f(1, 'resource', 'message', { message: 'Resource' });
const scope = f(1, 'scope', 'message', { message: 'InstrumentationScope' });
const schemaUrl = f(3, 'schemaUrl', 'string');
const temporality = f(2, 'aggregationTemporality', 'varint', { rule: 'enum' });
const value = (
  number: number,
  name: string,
  kind: KindName,
  more: Omit<Partial<FieldSpec>, 'number' | 'name' | 'kind'> = {},
) => f(number, name, kind, { oneof: 'value', ...more });
const data = (number: number, name: string, message: MessageName) =>
  f(number, name, 'message', { message, oneof: 'data' });

/** Every message, by name. */
export const MESSAGES: Readonly<Record<MessageName, readonly FieldSpec[]>> = {
  ExportTraceServiceRequest: [list(1, 'resourceSpans', 'ResourceSpans')],
  ExportLogsServiceRequest: [list(1, 'resourceLogs', 'ResourceLogs')],
  ExportMetricsServiceRequest: [list(1, 'resourceMetrics', 'ResourceMetrics')],
  ResourceSpans: [resource, list(2, 'scopeSpans', 'ScopeSpans'), schemaUrl],
  ResourceLogs: [resource, list(2, 'scopeLogs', 'ScopeLogs'), schemaUrl],
  ResourceMetrics: [resource, list(2, 'scopeMetrics', 'ScopeMetrics'), schemaUrl],
  ScopeSpans: [scope, list(2, 'spans', 'Span'), schemaUrl],
  ScopeLogs: [scope, list(2, 'logRecords', 'LogRecord'), schemaUrl],
  ScopeMetrics: [scope, list(2, 'metrics', 'Metric'), schemaUrl],
  Resource: [attributes(1), count(2, 'droppedAttributesCount'), list(3, 'entityRefs', 'EntityRef')],
  EntityRef: [
    f(1, 'schemaUrl', 'string'),
    f(2, 'type', 'string'),
    f(3, 'idKeys', 'string', { repeated: true }),
    f(4, 'descriptionKeys', 'string', { repeated: true }),
  ],
  InstrumentationScope: [
    f(1, 'name', 'string'),
    f(2, 'version', 'string'),
    attributes(3),
    count(4, 'droppedAttributesCount'),
  ],
  KeyValue: [
    f(1, 'key', 'string'),
    f(2, 'value', 'message', { message: 'AnyValue' }),
    f(3, 'keyStrindex', 'varint', { rule: 'int32' }),
  ],
  AnyValue: [
    value(1, 'stringValue', 'string'),
    value(2, 'boolValue', 'varint', { rule: 'bool' }),
    value(3, 'intValue', 'varint', { rule: 'int64' }),
    value(4, 'doubleValue', 'double'),
    value(5, 'arrayValue', 'message', { message: 'ArrayValue' }),
    value(6, 'kvlistValue', 'message', { message: 'KeyValueList' }),
    value(7, 'bytesValue', 'bytes'),
    value(8, 'stringValueStrindex', 'varint', { rule: 'int32' }),
  ],
  ArrayValue: [list(1, 'values', 'AnyValue')],
  KeyValueList: [list(1, 'values', 'KeyValue')],
  Span: [
    id(1, 'traceId'),
    id(2, 'spanId'),
    f(3, 'traceState', 'string'),
    id(4, 'parentSpanId'),
    f(5, 'name', 'string'),
    f(6, 'kind', 'varint', { rule: 'enum' }),
    time(7, 'startTimeUnixNano'),
    time(8, 'endTimeUnixNano'),
    attributes(9),
    count(10, 'droppedAttributesCount'),
    list(11, 'events', 'Event'),
    count(12, 'droppedEventsCount'),
    list(13, 'links', 'Link'),
    count(14, 'droppedLinksCount'),
    f(15, 'status', 'message', { message: 'Status' }),
    f(16, 'flags', 'fixed32', { rule: 'uint32' }),
  ],
  Event: [time(1, 'timeUnixNano'), f(2, 'name', 'string'), attributes(3), count(4, 'droppedAttributesCount')],
  Link: [
    id(1, 'traceId'),
    id(2, 'spanId'),
    f(3, 'traceState', 'string'),
    attributes(4),
    count(5, 'droppedAttributesCount'),
    f(6, 'flags', 'fixed32', { rule: 'uint32' }),
  ],
  Status: [f(2, 'message', 'string'), f(3, 'code', 'varint', { rule: 'enum' })],
  LogRecord: [
    time(1, 'timeUnixNano'),
    f(2, 'severityNumber', 'varint', { rule: 'enum' }),
    f(3, 'severityText', 'string'),
    f(5, 'body', 'message', { message: 'AnyValue' }),
    attributes(6),
    count(7, 'droppedAttributesCount'),
    f(8, 'flags', 'fixed32', { rule: 'uint32' }),
    id(9, 'traceId'),
    id(10, 'spanId'),
    time(11, 'observedTimeUnixNano'),
    f(12, 'eventName', 'string'),
  ],
  Metric: [
    f(1, 'name', 'string'),
    f(2, 'description', 'string'),
    f(3, 'unit', 'string'),
    data(5, 'gauge', 'Gauge'),
    data(7, 'sum', 'Sum'),
    data(9, 'histogram', 'Histogram'),
    data(10, 'exponentialHistogram', 'ExponentialHistogram'),
    data(11, 'summary', 'Summary'),
    attributes(12, 'metadata'),
  ],
  Gauge: [list(1, 'dataPoints', 'NumberDataPoint')],
  Sum: [list(1, 'dataPoints', 'NumberDataPoint'), temporality, f(3, 'isMonotonic', 'varint', { rule: 'bool' })],
  Histogram: [list(1, 'dataPoints', 'HistogramDataPoint'), temporality],
  ExponentialHistogram: [list(1, 'dataPoints', 'ExponentialHistogramDataPoint'), temporality],
  Summary: [list(1, 'dataPoints', 'SummaryDataPoint')],
  NumberDataPoint: [
    time(2, 'startTimeUnixNano'),
    time(3, 'timeUnixNano'),
    value(4, 'asDouble', 'double'),
    list(5, 'exemplars', 'Exemplar'),
    value(6, 'asInt', 'fixed64', { rule: 'int64' }),
    attributes(7),
    count(8, 'flags'),
  ],
  HistogramDataPoint: [
    time(2, 'startTimeUnixNano'),
    time(3, 'timeUnixNano'),
    f(4, 'count', 'fixed64', { rule: 'uint64' }),
    f(5, 'sum', 'double'),
    f(6, 'bucketCounts', 'packedFixed64', { rule: 'uint64', repeated: true }),
    f(7, 'explicitBounds', 'packedDouble', { repeated: true }),
    list(8, 'exemplars', 'Exemplar'),
    attributes(9),
    count(10, 'flags'),
    f(11, 'min', 'double'),
    f(12, 'max', 'double'),
  ],
  ExponentialHistogramDataPoint: [
    attributes(1),
    time(2, 'startTimeUnixNano'),
    time(3, 'timeUnixNano'),
    f(4, 'count', 'fixed64', { rule: 'uint64' }),
    f(5, 'sum', 'double'),
    f(6, 'scale', 'zigzag', { rule: 'int32' }),
    f(7, 'zeroCount', 'fixed64', { rule: 'uint64' }),
    f(8, 'positive', 'message', { message: 'Buckets' }),
    f(9, 'negative', 'message', { message: 'Buckets' }),
    count(10, 'flags'),
    list(11, 'exemplars', 'Exemplar'),
    f(12, 'min', 'double'),
    f(13, 'max', 'double'),
    f(14, 'zeroThreshold', 'double'),
  ],
  Buckets: [
    f(1, 'offset', 'zigzag', { rule: 'int32' }),
    f(2, 'bucketCounts', 'packedVarint', { rule: 'uint64', repeated: true }),
  ],
  SummaryDataPoint: [
    time(2, 'startTimeUnixNano'),
    time(3, 'timeUnixNano'),
    f(4, 'count', 'fixed64', { rule: 'uint64' }),
    f(5, 'sum', 'double'),
    list(6, 'quantileValues', 'ValueAtQuantile'),
    attributes(7),
    count(8, 'flags'),
  ],
  ValueAtQuantile: [f(1, 'quantile', 'double'), f(2, 'value', 'double')],
  Exemplar: [
    time(2, 'timeUnixNano'),
    value(3, 'asDouble', 'double'),
    id(4, 'spanId'),
    id(5, 'traceId'),
    value(6, 'asInt', 'fixed64', { rule: 'int64' }),
    attributes(7, 'filteredAttributes'),
  ],
};

/** Field numbers above this are unknown to OTLP. */
export const FIELD_MAX = 31;

/** Index of a message in the compiled tables. */
export function messageIndex(name: MessageName): number {
  return MESSAGE_NAMES.indexOf(name);
}

/** `KINDS[message << 5 | field]` is the KIND of that field, 0 where it is unknown. */
export const KINDS = new Uint8Array(MESSAGE_NAMES.length << 5);

/** `CHILDREN[message << 5 | field]` is the index of the message that the field holds. */
export const CHILDREN = new Uint8Array(MESSAGE_NAMES.length << 5);

for (const name of MESSAGE_NAMES) {
  for (const field of MESSAGES[name]) {
    const at = (messageIndex(name) << 5) | field.number;
    KINDS[at] = KIND[field.kind];
    if (field.message !== undefined) CHILDREN[at] = messageIndex(field.message);
  }
}
