import type { SignalKind } from '@weir/pipeline';
import { ProtoWriter } from './proto-writer.ts';

/** The two forms of a body. */
export type BodyFormat = 'protobuf' | 'json';

/** What a google.rpc.Status says. */
export interface StatusContent {
  readonly grpcCode: number;
  /** English; cut to 1 KiB. */
  readonly message: string;
  /** Present only where the client may send the same again: becomes a RetryInfo. */
  readonly retryAfterS?: number | undefined;
  /** Becomes a BadRequest that names the field. */
  readonly badRequestField?: string | undefined;
}

/** What is longer is cut: it must fit HTTP/2 headers, where each character may take 6 bytes. */
export const MESSAGE_CHARS_MAX = 1_024;
const RETRY_INFO = 'type.googleapis.com/google.rpc.RetryInfo';
const BAD_REQUEST = 'type.googleapis.com/google.rpc.BadRequest';

/** google.rpc.RetryInfo on its own: the trailer google.rpc.retryinfo-bin. */
export function encodeRetryInfo(retryAfterS: number): Buffer {
  const duration = new ProtoWriter();
  duration.tag(1, 0);
  duration.varint(retryAfterS);
  const info = new ProtoWriter();
  info.field(1, duration.bytes());
  return info.bytes();
}

/** google.rpc.Status: the body of every HTTP error, and the trailer grpc-status-details-bin. */
export function encodeStatus(status: StatusContent, format: BodyFormat): Buffer {
  const message = status.message.slice(0, MESSAGE_CHARS_MAX);
  return format === 'json' ? statusJson(status, message) : statusProtobuf(status, message);
}

function statusProtobuf(status: StatusContent, message: string): Buffer {
  const out = new ProtoWriter();
  out.tag(1, 0);
  out.varint(status.grpcCode);
  out.text(2, message);
  if (status.retryAfterS !== undefined) out.field(3, any(RETRY_INFO, encodeRetryInfo(status.retryAfterS)));
  if (status.badRequestField !== undefined) {
    const violation = new ProtoWriter();
    violation.text(1, status.badRequestField);
    violation.text(2, message);
    const badRequest = new ProtoWriter();
    badRequest.field(1, violation.bytes());
    out.field(3, any(BAD_REQUEST, badRequest.bytes()));
  }
  return out.bytes();
}

function any(type: string, value: Buffer): Buffer {
  const out = new ProtoWriter();
  out.text(1, type);
  out.field(2, value);
  return out.bytes();
}

function statusJson(status: StatusContent, message: string): Buffer {
  const details: object[] = [];
  if (status.retryAfterS !== undefined) details.push({ '@type': RETRY_INFO, retryDelay: `${status.retryAfterS}s` });
  if (status.badRequestField !== undefined) {
    const fieldViolations = [{ field: status.badRequestField, description: message }];
    details.push({ '@type': BAD_REQUEST, fieldViolations });
  }
  return Buffer.from(JSON.stringify({ code: status.grpcCode, message, ...(details.length > 0 ? { details } : {}) }));
}

/** Names of `rejected_*` in JSON. */
const REJECTED: Readonly<Record<SignalKind, string>> = {
  traces: 'rejectedSpans',
  logs: 'rejectedLogRecords',
  metrics: 'rejectedDataPoints',
};

/** An Export*ServiceResponse. A full success is 0 bytes, or `{}`; a partial one names the count and the reason. */
export function encodeExportResponse(
  signal: SignalKind,
  format: BodyFormat,
  outcome: { readonly rejectedItems: number; readonly message?: string | undefined },
): Buffer {
  const { rejectedItems } = outcome;
  const message = (outcome.message ?? '').slice(0, MESSAGE_CHARS_MAX);
  if (format === 'json') {
    if (rejectedItems === 0) return Buffer.from('{}');
    const partialSuccess = { [REJECTED[signal]]: String(rejectedItems), errorMessage: message };
    return Buffer.from(JSON.stringify({ partialSuccess }));
  }
  if (rejectedItems === 0) return Buffer.alloc(0);
  const partial = new ProtoWriter();
  partial.tag(1, 0);
  partial.varint64(BigInt(rejectedItems));
  partial.text(2, message);
  const out = new ProtoWriter();
  out.field(1, partial.bytes());
  return out.bytes();
}
