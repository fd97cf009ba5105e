import type { Span } from '../oracle/generated/opentelemetry/proto/trace/v1/trace_pb.ts';
import type { OracleRequest } from '../oracle/otlp.ts';
import { pairsOf } from './any-value-text.ts';
import {
  type ExpectedRow,
  type ExpectedRows,
  hexId,
  innerTime,
  ownerCells,
  type RowOwner,
  resourceCells,
  scopeCells,
  timeStorable,
} from './row.ts';

const KINDS = ['Unspecified', 'Internal', 'Server', 'Client', 'Producer', 'Consumer'];
const CODES = ['Unset', 'Ok', 'Error'];

/** Why a span cannot be stored, if it cannot. */
export function spanFault(span: Span): string | undefined {
  if (span.traceId.length !== 16 || hexId(span.traceId) === '') return 'invalid_trace_id';
  if (span.spanId.length !== 8 || hexId(span.spanId) === '') return 'invalid_span_id';
  if (span.parentSpanId.length !== 0 && span.parentSpanId.length !== 8) return 'invalid_span_id';
  if (span.startTimeUnixNano === 0n || !timeStorable(span.startTimeUnixNano)) return 'invalid_time';
  return timeStorable(span.endTimeUnixNano) ? undefined : 'invalid_time';
}

function spanCells(span: Span): ExpectedRow {
  const duration = span.endTimeUnixNano - span.startTimeUnixNano;
  return {
    Timestamp: span.startTimeUnixNano.toString(),
    TraceId: hexId(span.traceId),
    SpanId: hexId(span.spanId),
    ParentSpanId: hexId(span.parentSpanId),
    TraceState: span.traceState,
    SpanName: span.name,
    SpanKind: KINDS[span.kind] ?? 'Unspecified',
    SpanAttributes: pairsOf(span.attributes),
    Duration: (duration > 0n ? duration : 0n).toString(),
    StatusCode: CODES[span.status?.code ?? 0] ?? 'Unset',
    StatusMessage: span.status?.message ?? '',
    'Events.Timestamp': span.events.map((event) => innerTime(event.timeUnixNano)),
    'Events.Name': span.events.map((event) => event.name),
    'Events.Attributes': span.events.map((event) => pairsOf(event.attributes)),
    'Links.TraceId': span.links.map((link) => hexId(link.traceId)),
    'Links.SpanId': span.links.map((link) => hexId(link.spanId)),
    'Links.TraceState': span.links.map((link) => link.traceState),
    'Links.Attributes': span.links.map((link) => pairsOf(link.attributes)),
  };
}

export function addSpans(request: OracleRequest<'traces'>, owner: RowOwner, out: ExpectedRows): void {
  for (const { resource, scopeSpans } of request.resourceSpans) {
    for (const { scope, spans } of scopeSpans) {
      for (const span of spans) {
        const fault = spanFault(span);
        if (fault !== undefined) out.invalid[fault] = (out.invalid[fault] ?? 0) + 1;
        else {
          out.rows.otel_traces ??= [];
          out.rows.otel_traces.push({
            ...ownerCells(owner),
            ...resourceCells(resource),
            ...scopeCells(scope),
            ...spanCells(span),
          });
        }
      }
    }
  }
}
