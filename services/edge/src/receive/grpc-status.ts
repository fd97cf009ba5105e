import { type status as grpcStatus, Metadata } from '@grpc/grpc-js';
import { encodeRetryInfo, encodeStatus, MESSAGE_CHARS_MAX } from '@weir/otlp';
import { REFUSALS, type Refused } from '@weir/pipeline';
import { BODY_ENCODINGS } from '../exports.ts';

/** What `grpc-encoding` may be, for clients that ask. */
export const ACCEPTED_ENCODINGS = [...BODY_ENCODINGS.keys()].join(',');

/** A refusal as grpc-js sends it. */
export interface RefusalStatus {
  readonly code: grpcStatus;
  readonly details: string;
  readonly metadata: Metadata;
}

/** Status, message and, where the client may try again, RetryInfo in both trailers that clients read. */
export function toStatus(refusal: Refused): RefusalStatus {
  const code = REFUSALS[refusal.reason].grpc;
  const { retryAfterS } = refusal;
  const message = refusal.message.slice(0, MESSAGE_CHARS_MAX);
  const metadata = new Metadata();
  const badRequestField = refusal.reason === 'malformed' ? 'body' : undefined;
  metadata.set(
    'grpc-status-details-bin',
    encodeStatus({ grpcCode: code, message, retryAfterS, badRequestField }, 'protobuf'),
  );
  if (refusal.reason === 'encoding_unsupported') metadata.set('grpc-accept-encoding', ACCEPTED_ENCODINGS);
  if (retryAfterS !== undefined) metadata.set('google.rpc.retryinfo-bin', encodeRetryInfo(retryAfterS));
  return { code, details: message, metadata };
}
