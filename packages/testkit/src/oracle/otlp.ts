import { create, fromBinary, type MessageInitShape, type MessageShape, toBinary } from '@bufbuild/protobuf';
import type { SignalKind } from '@weir/pipeline';
import {
  ExportLogsServiceRequestSchema,
  ExportLogsServiceResponseSchema,
} from './generated/opentelemetry/proto/collector/logs/v1/logs_service_pb.ts';
import {
  ExportMetricsServiceRequestSchema,
  ExportMetricsServiceResponseSchema,
} from './generated/opentelemetry/proto/collector/metrics/v1/metrics_service_pb.ts';
import {
  ExportTraceServiceRequestSchema,
  ExportTraceServiceResponseSchema,
} from './generated/opentelemetry/proto/collector/trace/v1/trace_service_pb.ts';

/** The official message of each signal's export request. */
export const REQUEST_SCHEMAS = {
  traces: ExportTraceServiceRequestSchema,
  logs: ExportLogsServiceRequestSchema,
  metrics: ExportMetricsServiceRequestSchema,
} as const satisfies Record<SignalKind, unknown>;

/** The official message of each signal's answer. */
export const RESPONSE_SCHEMAS = {
  traces: ExportTraceServiceResponseSchema,
  logs: ExportLogsServiceResponseSchema,
  metrics: ExportMetricsServiceResponseSchema,
} as const satisfies Record<SignalKind, unknown>;

/** A decoded export request. */
export type OracleRequest<S extends SignalKind> = MessageShape<(typeof REQUEST_SCHEMAS)[S]>;

/** What an export request can be made from. */
export type OracleRequestInit<S extends SignalKind> = MessageInitShape<(typeof REQUEST_SCHEMAS)[S]>;

/** Decodes an export as the official definition says. @throws Error where the bytes are not one */
export function decodeExport<S extends SignalKind>(signal: S, bytes: Uint8Array): OracleRequest<S> {
  return fromBinary(REQUEST_SCHEMAS[signal], bytes) as OracleRequest<S>;
}

/** Encodes an export as the official definition says. */
export function encodeExport<S extends SignalKind>(signal: S, init: OracleRequestInit<S>): Uint8Array {
  const schema: (typeof REQUEST_SCHEMAS)[SignalKind] = REQUEST_SCHEMAS[signal];
  return toBinary(schema, create(schema, init as never));
}

/** How many items an answer says were rejected, and why; 0 and '' where it says nothing. */
export function partialSuccess(signal: SignalKind, bytes: Uint8Array): { rejected: number; message: string } {
  const schema: (typeof RESPONSE_SCHEMAS)[SignalKind] = RESPONSE_SCHEMAS[signal];
  const { partialSuccess: said } = fromBinary(schema, bytes) as MessageShape<typeof schema>;
  if (said === undefined) return { rejected: 0, message: '' };
  let rejected = 0n;
  if ('rejectedSpans' in said) rejected = said.rejectedSpans;
  else rejected = 'rejectedLogRecords' in said ? said.rejectedLogRecords : said.rejectedDataPoints;
  return { rejected: Number(rejected), message: said.errorMessage };
}
