import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import type { BodyFormat } from '@weir/otlp';
import { faultPoint, freeBytes, isAlone, type Refused, refuse, type SignalKind } from '@weir/pipeline';
import type { Tenant } from '@weir/tenancy';
import type { EdgeQueue } from '../edge-queue.ts';
import { BODY_ENCODING_NAMES, BODY_ENCODINGS, type BodyEncoding } from '../exports.ts';
import { LIMITS } from '../limits.ts';
import type { Deadlines } from './deadlines.ts';

const PATHS: ReadonlyMap<string, SignalKind> = new Map([
  ['/v1/traces', 'traces'],
  ['/v1/logs', 'logs'],
  ['/v1/metrics', 'metrics'],
]);

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
  const encoding = BODY_ENCODINGS.get((message.headers['content-encoding'] ?? 'identity').trim().toLowerCase());
  if (encoding === undefined) {
    return refuse('encoding_unsupported', `content-encoding must be ${BODY_ENCODING_NAMES}`);
  }
  return { signal, format: type === 'application/json' ? 'json' : 'protobuf', encoding };
}

function mediaType(headers: IncomingHttpHeaders): string {
  return (headers['content-type'] ?? '').split(';', 1)[0]!.trim().toLowerCase();
}

/** Room that a body has taken; give it back when the export has been answered. */
export interface Received {
  readonly kind: 'body';
  readonly body: Buffer;
  /** Nothing else is in the same memory: what came in one piece may share it with what came behind it. */
  readonly ownsBody: boolean;
}

/** One body out of its pieces, whose memory is given back: each is a copy of Node's own, but for what shares it with others. */
function joined(pieces: readonly Buffer[], bytes: number): Buffer {
  const body = Buffer.concat(pieces, bytes);
  for (const piece of pieces) if (isAlone(piece)) freeBytes(piece);
  return body;
}

/** What bounds the reading of a body. */
export interface BodyBounds {
  readonly bytesMax: number;
  readonly queue: EdgeQueue;
  readonly tenant: Tenant;
  /** Of the time that a body may take. */
  readonly deadlines: Deadlines;
  /** Called before the first byte is read, where it is not refused. */
  readonly onWanted: () => void;
}

/**
 * Reads a body within its bounds; when it returns one it has taken `body.length` bytes of the queue, and until then what its
 * pieces cost as well. A declared length is checked before a byte is read. Undefined where the client went away: there is nobody to answer.
 */
export function readBody(
  message: IncomingMessage,
  { bytesMax, queue, tenant, deadlines, onWanted }: BodyBounds,
): Promise<Received | Refused | undefined> {
  const tooLarge = () => refuse('too_large', `the body is larger than ${bytesMax} bytes`);
  const declared = Number(message.headers['content-length'] ?? 0);
  if (declared > bytesMax) return Promise.resolve(tooLarge());
  onWanted();
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let size = 0;
    let held = 0;
    const finish = (result: Received | Refused | undefined) => {
      cancel();
      message.removeAllListeners('data').removeAllListeners('end').removeAllListeners('close');
      // The pieces have become one buffer.
      queue.give(tenant, result?.kind === 'body' ? held - size : held, 0);
      resolve(result);
    };
    const cancel = deadlines.set(() => {
      message.pause();
      finish(refuse('body_timeout', 'the body did not come in time'));
    });
    message.on('data', (chunk: Buffer) => {
      const room = size + chunk.length <= bytesMax;
      const bytes = chunk.length + LIMITS.pieceOverheadBytes;
      const refused = room ? queue.take(tenant, held, bytes, 0) : tooLarge();
      if (refused !== undefined) {
        message.pause();
        return finish(refused);
      }
      size += chunk.length;
      held += bytes;
      chunks.push(chunk);
      if (size < declared) faultPoint('edge.in_body');
    });
    message.once('end', () =>
      finish(
        chunks.length === 1
          ? { kind: 'body', body: chunks[0]!, ownsBody: false }
          : { kind: 'body', body: joined(chunks, size), ownsBody: true },
      ),
    );
    message.once('close', () => finish(undefined));
    message.on('error', () => undefined);
  });
}
