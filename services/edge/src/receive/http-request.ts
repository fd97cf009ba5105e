import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import type { BodyFormat } from '@weir/otlp';
import { type Budget, faultPoint, type Refused, refuse, type SignalKind } from '@weir/pipeline';
import type { BodyEncoding } from '../exports.ts';

const PATHS: ReadonlyMap<string, SignalKind> = new Map([
  ['/v1/traces', 'traces'],
  ['/v1/logs', 'logs'],
  ['/v1/metrics', 'metrics'],
]);

const ENCODINGS: ReadonlySet<string> = new Set(['identity', 'gzip', 'zstd', 'deflate']);

/** What the head of a request says, before its body is read. */
export interface RequestHead {
  readonly signal: SignalKind;
  readonly format: BodyFormat;
  readonly encoding: BodyEncoding;
}

/** Signal of a path; compared as it was sent, so that nothing but these three is served. */
export function signalOf(url: string): SignalKind | undefined {
  return PATHS.get(url.split('?', 1)[0] ?? '');
}

/** The form that an answer takes: the request's, protobuf where that is not known. */
export function formatOf(headers: IncomingHttpHeaders): BodyFormat {
  return mediaType(headers) === 'application/json' ? 'json' : 'protobuf';
}

/** Reads the head, or says why it cannot be served. Authentication comes between path and body, and is the caller's. */
export function readHead(message: IncomingMessage, signal: SignalKind): RequestHead | Refused {
  const type = mediaType(message.headers);
  if (type !== 'application/x-protobuf' && type !== 'application/json') {
    return refuse('content_type_unsupported', 'content-type must be application/x-protobuf or application/json');
  }
  const encoding = (message.headers['content-encoding'] ?? 'identity').trim().toLowerCase();
  if (!ENCODINGS.has(encoding)) {
    return refuse('encoding_unsupported', 'content-encoding must be identity, gzip, zstd or deflate');
  }
  return { signal, format: type === 'application/json' ? 'json' : 'protobuf', encoding: encoding as BodyEncoding };
}

function mediaType(headers: IncomingHttpHeaders): string {
  return (headers['content-type'] ?? '').split(';', 1)[0]!.trim().toLowerCase();
}

/** Room that a body has taken; give it back when the export has been answered. */
export interface Received {
  readonly kind: 'body';
  readonly body: Buffer;
}

/**
 * Reads a body within `bytesMax` and within the budget, which it has taken `body.length` bytes of when it returns one.
 * A declared length is checked before a byte is read.
 */
export async function readBody(
  message: IncomingMessage,
  bytesMax: number,
  budget: Budget,
): Promise<Received | Refused | undefined> {
  const declared = Number(message.headers['content-length'] ?? 0);
  if (declared > bytesMax) return refuse('too_large', `the body is larger than ${bytesMax} bytes`);
  const chunks: Buffer[] = [];
  let size = 0;
  const giveUp = (refusal: Refused | undefined) => {
    budget.give(size, 0);
    return refusal;
  };
  try {
    for await (const chunk of message as AsyncIterable<Buffer>) {
      if (size + chunk.length > bytesMax)
        return giveUp(refuse('too_large', `the body is larger than ${bytesMax} bytes`));
      if (!budget.tryTake(chunk.length, 0)) return giveUp(refuse('edge_full', 'the edge is full'));
      size += chunk.length;
      chunks.push(chunk);
      if (size < declared) faultPoint('edge.in_body');
    }
  } catch {
    // The client went away, or was too slow and its connection was closed: there is nobody to answer.
    return giveUp(undefined);
  }
  return { kind: 'body', body: chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks, size) };
}
