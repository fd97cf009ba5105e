import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import { gzipSync } from 'node:zlib';
import { type BodyFormat, encodeExportResponse, encodeStatus } from '@weir/otlp';
import { type Accepted, REFUSALS, type Refused, type SignalKind } from '@weir/pipeline';
import { LIMITS } from '../limits.ts';
import type { Deadlines } from './deadlines.ts';

const CONTENT_TYPES: Readonly<Record<BodyFormat, string>> = {
  protobuf: 'application/x-protobuf',
  json: 'application/json',
};

/** How a request wants its answer. */
export interface AnswerForm {
  readonly format: BodyFormat;
  readonly gzip: boolean;
}

/** Whether `accept-encoding` asks for gzip; where it does not, nothing is compressed. */
export function acceptsGzip(headers: IncomingHttpHeaders): boolean {
  const accepted = headers['accept-encoding'];
  if (typeof accepted !== 'string') return false;
  return accepted.split(',').some((each) => {
    const [name = '', ...parameters] = each.split(';').map((part) => part.trim().toLowerCase());
    return (name === 'gzip' || name === '*') && !parameters.some((parameter) => /^q=0(\.0*)?$/.test(parameter));
  });
}

/** Sends a full or a partial success. */
export function sendAccepted(response: ServerResponse, signal: SignalKind, form: AnswerForm, accepted: Accepted): void {
  const { rejectedItems, message } = accepted;
  response.end(sendHead(response, 200, form, encodeExportResponse(signal, form.format, { rejectedItems, message })));
}

/** Sends a refusal after which the connection can be used again: the body has been read. */
export function sendRefused(response: ServerResponse, form: AnswerForm, refusal: Refused): void {
  response.end(sendStatus(response, form, refusal));
}

/** What a refusal needs that may come before the body. */
export interface EarlyRefusal {
  readonly refusal: Refused;
  /** Of the time for which what still comes is dropped. */
  readonly lingers: Deadlines;
  /** Whether the connection must not be used again. */
  readonly closing: boolean;
}

/**
 * Sends a refusal to a client that may still be sending. A body that is nearly there is dropped, and the connection kept: it may
 * be a proxy's. Otherwise what the client sends is dropped for a while, and the connection closed: closed at once with bytes
 * unread it is reset, and the client would not see the answer. A client that was too slow is not waited for again.
 */
export function refuseEarly(
  message: IncomingMessage,
  response: ServerResponse,
  form: AnswerForm,
  { refusal, lingers, closing }: EarlyRefusal,
): void {
  message.resume();
  const slow = refusal.reason === 'body_timeout';
  if (endsSoon(message.headers) && response.shouldKeepAlive && !closing && !slow) {
    sendRefused(response, form, refusal);
    return;
  }
  response.setHeader('connection', 'close');
  // Whole without an end: its length is told.
  response.write(sendStatus(response, form, refusal));
  if (slow || message.complete || message.destroyed) {
    response.end();
    return;
  }
  const end = () => {
    cancel();
    if (!response.writableEnded) response.end();
  };
  const cancel = lingers.set(end);
  message.once('end', end).once('close', end).on('error', end);
}

/** Whether a body that nobody wants is so short that it costs less than a new connection would, and will come. */
function endsSoon(headers: IncomingHttpHeaders): boolean {
  if (headers['transfer-encoding'] !== undefined || headers.expect !== undefined) return false;
  return Number(headers['content-length'] ?? 0) <= LIMITS.drainBytesMax;
}

/** Sends the head of a refusal. @returns its body */
function sendStatus(response: ServerResponse, form: AnswerForm, refusal: Refused): Buffer {
  const { http } = REFUSALS[refusal.reason];
  if (refusal.retryAfterS !== undefined) response.setHeader('retry-after', String(refusal.retryAfterS));
  if (http === 401) response.setHeader('www-authenticate', 'Bearer');
  if (http === 405) response.setHeader('allow', 'POST');
  return sendHead(response, http, form, statusBody(refusal, form.format));
}

function statusBody({ reason, message, retryAfterS }: Refused, format: BodyFormat): Buffer {
  const badRequestField = reason === 'malformed' ? 'body' : undefined;
  return encodeStatus({ grpcCode: REFUSALS[reason].grpc, message, retryAfterS, badRequestField }, format);
}

/** @returns the body that has been told of */
function sendHead(response: ServerResponse, status: number, { format, gzip }: AnswerForm, plain: Buffer): Buffer {
  const zipped = gzip && plain.length >= LIMITS.gzipAnswerBytesMin;
  const body = zipped ? gzipSync(plain) : plain;
  if (zipped) response.setHeader('content-encoding', 'gzip');
  response.writeHead(status, { 'content-type': CONTENT_TYPES[format], 'content-length': body.length });
  return body;
}

/** A refusal, whole, for what is not HTTP enough to have a response: its form is not known, so it is protobuf. */
export function rawRefusal(statusLine: string, refusal: Refused): Buffer {
  const body = statusBody(refusal, 'protobuf');
  const head = [
    `HTTP/1.1 ${statusLine}`,
    `content-type: ${CONTENT_TYPES.protobuf}`,
    `content-length: ${body.length}`,
    'connection: close',
  ];
  return Buffer.concat([Buffer.from(`${head.join('\r\n')}\r\n\r\n`), body]);
}
