import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import { type BodyFormat, encodeExportResponse, encodeStatus } from '@weir/otlp';
import { type Component, type Consumer, REFUSALS, type Refused, refuse, type SignalKind } from '@weir/pipeline';
import type { Answer, RawExport } from '../exports.ts';
import { LIMITS } from '../limits.ts';
import { Deadlines } from './deadlines.ts';
import { formatOf, readBody, readHead, signalOf } from './http-request.ts';
import { admit, bodyBytesOf, type ReceiverParts } from './receiver.ts';
import { hasBadCertificate, openTlsPort, tlsOptions } from './tls-port.ts';

const CONTENT_TYPES: Readonly<Record<BodyFormat, string>> = {
  protobuf: 'application/x-protobuf',
  json: 'application/json',
};

/** What an operator may set. */
export interface HttpSettings {
  readonly headerBytesMax: number;
}

/** OTLP/HTTP: protobuf and JSON on one port, over TLS. */
export class HttpReceiver implements Component {
  readonly name = 'http receiver';
  readonly #parts: ReceiverParts;
  readonly #next: Consumer<RawExport, Answer>;
  readonly #headerBytesMax: number;
  #server: Server | undefined;
  #stopping = false;
  #open = 0;
  readonly #deadlines: Deadlines;
  #drained: () => void = () => undefined;

  constructor(parts: ReceiverParts, next: Consumer<RawExport, Answer>, { headerBytesMax }: HttpSettings) {
    this.#parts = parts;
    this.#headerBytesMax = headerBytesMax;
    this.#next = next;
    this.#deadlines = new Deadlines(parts.clock, LIMITS.bodyTimeoutMs);
  }

  async start(): Promise<void> {
    const server = createServer(
      {
        ...tlsOptions(this.#parts),
        ALPNProtocols: ['http/1.1'],
        maxHeaderSize: this.#headerBytesMax,
        headersTimeout: LIMITS.headersTimeoutMs,
        // Our own deadline answers; this one only ends what does not go away then.
        requestTimeout: 2 * LIMITS.bodyTimeoutMs,
        keepAliveTimeout: LIMITS.keepAliveMs,
        handshakeTimeout: LIMITS.headersTimeoutMs,
      },
      (message, response) => void this.#serve(message, response),
    );
    server.maxConnections = LIMITS.connectionsMax;
    server.maxRequestsPerSocket = LIMITS.requestsPerSocketMax;
    server.on('secureConnection', (socket) => {
      if (hasBadCertificate(socket)) socket.destroy();
    });
    server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
      const status = error.code === 'HPE_HEADER_OVERFLOW' ? '431 Request Header Fields Too Large' : '400 Bad Request';
      // Not 400: it may be our own loop that stood still, and a client whose connection breaks tries again.
      if (error.code === 'ERR_HTTP_REQUEST_TIMEOUT') socket.destroy();
      else if (socket.writable) socket.end(`HTTP/1.1 ${status}\r\nconnection: close\r\n\r\n`);
      else socket.destroy();
    });
    this.#server = server;
    await openTlsPort(server, this.#parts);
  }

  /** Answers what has come, refuses what comes, and closes. */
  async stop(signal: AbortSignal): Promise<void> {
    const server = this.#server;
    if (server === undefined) return;
    this.#server = undefined;
    this.#stopping = true;
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    server.closeIdleConnections();
    if (this.#open > 0) {
      await new Promise<void>((resolve) => {
        this.#drained = resolve;
        signal.addEventListener('abort', () => resolve(), { once: true });
      });
    }
    // What was answered may still be on its way to a client that keeps its connection open.
    server.closeIdleConnections();
    await Promise.race([closed, this.#parts.clock.sleep(LIMITS.connectionCloseMs, signal).catch(() => undefined)]);
    server.closeAllConnections();
    this.#deadlines.stop();
    await closed;
  }

  async #serve(message: IncomingMessage, response: ServerResponse): Promise<void> {
    this.#open++;
    const sent = new Promise<void>((resolve) => response.once('close', () => resolve()));
    try {
      await this.#handle(message, response);
      await sent;
    } finally {
      this.#open--;
      if (this.#open === 0) this.#drained();
    }
  }

  async #handle(message: IncomingMessage, response: ServerResponse): Promise<void> {
    const format = formatOf(message.headers);
    const signal = signalOf(message.url ?? '');
    const early = (refusal: Refused) => {
      if (signal !== undefined) this.#parts.events.answered(signal, 'http', undefined, refusal, 0);
      sendRefusal(response, format, refusal, true);
    };
    if (this.#stopping) return early(refuse('shutting_down', 'the edge is stopping; try again'));
    if (signal === undefined) return early(refuse('not_found', 'there are /v1/traces, /v1/logs and /v1/metrics'));
    if (message.method !== 'POST') {
      response.setHeader('allow', 'POST');
      return early(refuse('method_not_allowed', 'use POST'));
    }
    const { authenticate, bodyBytesMax, queue } = this.#parts;
    const who = authenticate({
      authorization: message.headersDistinct.authorization ?? [],
      apiKey: message.headersDistinct['x-api-key'] ?? [],
    });
    if (who.kind === 'refused') return early(who);
    const head = readHead(message, signal);
    if ('kind' in head) return early(head);
    const { tenant } = who;
    const bytesMax = bodyBytesOf(tenant, head.encoding, bodyBytesMax);
    const received = await readBody(message, { bytesMax, queue, tenant, deadlines: this.#deadlines });
    if (received === undefined) return void response.destroy();
    if (received.kind === 'refused') return early(received);
    const { body } = received;
    try {
      const export_: RawExport = { tenant, transport: 'http', body, ...head };
      const answer = await admit(this.#parts, this.#next, export_);
      send(response, signal, format, answer);
    } finally {
      queue.give(tenant, body.length, 0);
    }
  }
}

function send(response: ServerResponse, signal: SignalKind, format: BodyFormat, answer: Answer): void {
  if (answer.kind === 'refused') {
    sendRefusal(response, format, answer, false);
    return;
  }
  const { rejectedItems, message } = answer;
  sendBody(response, 200, format, encodeExportResponse(signal, format, { rejectedItems, message }));
}

/** `close`: the body may not have been read, so the connection cannot be used again. */
function sendRefusal(response: ServerResponse, format: BodyFormat, refusal: Refused, close: boolean): void {
  const { http, grpc } = REFUSALS[refusal.reason];
  const badRequestField = refusal.reason === 'malformed' ? 'body' : undefined;
  const { message, retryAfterS } = refusal;
  const body = encodeStatus({ grpcCode: grpc, message, retryAfterS, badRequestField }, format);
  if (retryAfterS !== undefined) response.setHeader('retry-after', String(retryAfterS));
  if (http === 401) response.setHeader('www-authenticate', 'Bearer');
  if (close) response.setHeader('connection', 'close');
  sendBody(response, http, format, body);
}

function sendBody(response: ServerResponse, status: number, format: BodyFormat, body: Buffer): void {
  response.writeHead(status, { 'content-type': CONTENT_TYPES[format], 'content-length': body.length });
  response.end(body);
}
