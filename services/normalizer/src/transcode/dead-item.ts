import { Bytes } from '@weir/native';
import { isMetricData, WireReader } from '@weir/otlp';
import type { MetricHeader } from './metric-header.ts';
import type { Origin } from './origin.ts';

const FIELD_1 = (1 << 3) | 2;
const FIELD_2 = (2 << 3) | 2;
const FIELD_3 = (3 << 3) | 2;

/** An ExportRequest that holds one item, its bytes unchanged, under its resource and scope. */
export function wrapItem(buf: Uint8Array, origin: Origin, start: number, end: number): Buffer {
  const item = new Bytes(end - start + 16);
  field(item, FIELD_2, buf, start, end);
  return wrap(buf, origin, item);
}

/** An ExportRequest that holds one data point, its bytes unchanged, under its metric, resource and scope. */
export function wrapPoint(
  reader: WireReader,
  origin: Origin,
  header: MetricHeader,
  start: number,
  end: number,
  metricStart: number,
  metricEnd: number,
): Buffer {
  const { buf } = reader;
  const data = new Bytes(end - start + 32);
  field(data, FIELD_1, buf, start, end);
  if (header.temporality !== 0) {
    data.byte(2 << 3);
    data.varint(header.temporality);
  }
  if (header.monotonic) {
    data.byte(3 << 3);
    data.byte(1);
  }
  const metric = new Bytes(end - start + 256);
  copyHead(buf, metricStart, metricEnd, metric);
  field(metric, (header.data << 3) | 2, data.buf, 0, data.length);
  const item = new Bytes(metric.length + 16);
  field(item, FIELD_2, metric.buf, 0, metric.length);
  return wrap(buf, origin, item);
}

/** Copies a metric's fields other than its data. */
function copyHead(buf: Uint8Array, start: number, end: number, out: Bytes): void {
  const reader = new WireReader();
  reader.open(buf);
  reader.pos = start;
  while (reader.pos < end) {
    const at = reader.pos;
    const tag = reader.tag(end);
    if (tag < 0 || !reader.skip(tag & 7, end)) return;
    if (!isMetricData(tag >>> 3)) out.copy(buf, at, reader.pos);
  }
}

function wrap(buf: Uint8Array, origin: Origin, item: Bytes): Buffer {
  const scope = new Bytes(item.length + 256);
  if (origin.scope.end > 0) field(scope, FIELD_1, buf, origin.scope.start, origin.scope.end);
  scope.copy(item.buf, 0, item.length);
  if (origin.scopeSchemaUrl.end > 0) field(scope, FIELD_3, buf, origin.scopeSchemaUrl.start, origin.scopeSchemaUrl.end);
  const resource = new Bytes(scope.length + 256);
  if (origin.resource.end > 0) field(resource, FIELD_1, buf, origin.resource.start, origin.resource.end);
  field(resource, FIELD_2, scope.buf, 0, scope.length);
  if (origin.resourceSchemaUrl.end > 0) {
    field(resource, FIELD_3, buf, origin.resourceSchemaUrl.start, origin.resourceSchemaUrl.end);
  }
  const request = new Bytes(resource.length + 16);
  field(request, FIELD_1, resource.buf, 0, resource.length);
  return Buffer.from(request.view());
}

function field(out: Bytes, tag: number, source: Uint8Array, start: number, end: number): void {
  out.byte(tag);
  out.string(source, start, end);
}
