import type { LogRecord } from '../oracle/generated/opentelemetry/proto/logs/v1/logs_pb.ts';
import type { OracleRequest } from '../oracle/otlp.ts';
import { anyValueText, pairsOf } from './any-value-text.ts';
import {
  type ExpectedRow,
  type ExpectedRows,
  hexId,
  ownerCells,
  type RowOwner,
  resourceCells,
  scopeCells,
  timeStorable,
} from './row.ts';

/** Why a log record cannot be stored, if it cannot. */
export function logFault(log: LogRecord): string | undefined {
  if (!timeStorable(log.timeUnixNano) || !timeStorable(log.observedTimeUnixNano)) return 'invalid_time';
  if (log.traceId.length !== 0 && log.traceId.length !== 16) return 'invalid_trace_id';
  return log.spanId.length !== 0 && log.spanId.length !== 8 ? 'invalid_span_id' : undefined;
}

function logCells(log: LogRecord, receivedAtNs: bigint): ExpectedRow {
  const severity: number = log.severityNumber;
  return {
    Timestamp: (log.timeUnixNano || log.observedTimeUnixNano || receivedAtNs).toString(),
    TraceId: hexId(log.traceId),
    SpanId: hexId(log.spanId),
    TraceFlags: log.flags % 256,
    SeverityText: log.severityText,
    SeverityNumber: severity >= 0 && severity <= 255 ? severity : 0,
    Body: anyValueText(log.body),
    LogAttributes: pairsOf(log.attributes),
    EventName: log.eventName,
  };
}

export function addLogRecords(request: OracleRequest<'logs'>, owner: RowOwner, out: ExpectedRows): void {
  for (const { resource, schemaUrl: resourceUrl, scopeLogs } of request.resourceLogs) {
    for (const { scope, schemaUrl: scopeUrl, logRecords } of scopeLogs) {
      for (const log of logRecords) {
        const fault = logFault(log);
        if (fault !== undefined) out.invalid[fault] = (out.invalid[fault] ?? 0) + 1;
        else {
          out.rows.otel_logs ??= [];
          out.rows.otel_logs.push({
            ...ownerCells(owner),
            ...resourceCells(resource),
            ...scopeCells(scope),
            ResourceSchemaUrl: resourceUrl,
            ScopeSchemaUrl: scopeUrl,
            ScopeAttributes: pairsOf(scope?.attributes),
            ...logCells(log, owner.receivedAtNs),
          });
        }
      }
    }
  }
}
