import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { Duplex } from 'node:stream';
import { Budget, type Component, type Consumer, type Refused, refuse } from '@weir/pipeline';
import type { Tenant } from '@weir/tenancy';
import { EdgeQueue } from '../edge-queue.ts';
import type { Answer, RawExport } from '../exports.ts';
import { LIMITS } from '../limits.ts';
import { Deadlines } from './deadlines.ts';
import { type AnswerForm, acceptsGzip, rawRefusal, refuseEarly, sendAccepted, sendRefused } from './http-answer.ts';
import { formatOf, type RequestHead, readBody, readHead, signalOf } from './http-request.ts';
import { admit, bodyBytesOf, type ReceiverParts } from './receiver.ts';
import { hasBadCertificate, openTlsPort, tlsOptions } from './tls-port.ts';

/** What an operator may set. */
export interface HttpSettings {
  readonly headerBytesMax: number;
}

/** What a receiver holds at once. */
export interface HttpBounds extends HttpSettings {
  /** Over all connections, from a good key to the end of the answer and of the export, which may be later. */
  readonly requestsMax: number;
}

/** Refuses a request whose body has not been read. */
type Early = (refusal: Refused) => void;

/** A request that is served. */
interface Request {
  readonly tenant: Tenant;
  readonly head: RequestHead;
  readonly form: AnswerForm;
  readonly early: Early;
}

/** OTLP/HTTP: protobuf and JSON on one port, over TLS. */
export class HttpReceiver implements Component {
  readonly name = 'http receiver';
  readonly #parts: ReceiverParts;
  readonly #next: Consumer<RawExport, Answer>;
  readonly #headerBytesMax: number;
  /** Counts the requests, as items; of them, too, each tenant has its fair share. */
  readonly #requests: EdgeQueue;
  #server: Server | undefined;
  #stopping = false;
  #open = 0;
  /** The newest request's response. */
  readonly #serving = new WeakMap<Duplex, ServerResponse>();
  readonly #deadlines: Deadlines;
  readonly #lingers: Deadlines;
  #drained: () => void = () => undefined;

  constructor(parts: ReceiverParts, next: Consumer<RawExport, Answer>, bounds: HttpSettings & Partial<HttpBounds>) {
    const { headerBytesMax, requestsMax = LIMITS.httpRequestsMax } = bounds;
    this.#parts = parts;
    this.#headerBytesMax = headerBytesMax;
    this.#requests = new EdgeQueue(new Budget({ bytesMax: 1, itemsMax: requestsMax }));
    this.#next = next;
    this.#deadlines = new Deadlines(parts.clock, LIMITS.bodyTimeoutMs);
    this.#lingers = new Deadlines(parts.clock, LIMITS.lingerMs);
  }

  async start(): Promise<void> {
    const server = createServer(
      {
        ...tlsOptions(this.#parts),
        ALPNProtocols: ['http/1.1'],
        maxHeaderSize: this.#headerBytesMax,
        headersTimeout: LIMITS.headersTimeoutMs,
        connectionsCheckingInterval: LIMITS.connectionsCheckMs,
        // Our own deadline answers; this one only ends what does not go away then.
        requestTimeout: 2 * LIMITS.bodyTimeoutMs,
        keepAliveTimeout: LIMITS.keepAliveMs,
        handshakeTimeout: LIMITS.headersTimeoutMs,
        // Its answer would have no body: ours has.
        requireHostHeader: false,
      },
      (message, response) => void this.#serve(message, response),
    );
    // Node would say that it goes on before the key has been seen. Other expectations are passed over, as they may be.
    server.on('checkContinue', (message, response) => void this.#serve(message, response));
    server.on('checkExpectation', (message, response) => void this.#serve(message, response));
    server.maxConnections = LIMITS.connectionsMax;
    server.maxRequestsPerSocket = LIMITS.requestsPerSocketMax;
    server.on('secureConnection', (socket) => {
      if (hasBadCertificate(socket)) socket.destroy();
    });
    server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
      const large = error.code === 'HPE_HEADER_OVERFLOW';
      const status = large ? '431 Request Header Fields Too Large' : '400 Bad Request';
      const refusal = refuse(
        large ? 'too_large' : 'malformed',
        large ? 'the headers are too large' : 'this is not HTTP',
      );
      // Not 400: it may be our own loop that stood still, and a client whose connection breaks tries again.
      if (error.code === 'ERR_HTTP_REQUEST_TIMEOUT') socket.destroy();
      else this.#endWith(socket, rawRefusal(status, refusal));
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
    this.#lingers.stop();
    await closed;
  }

  /**
   * Answers what is not HTTP, and closes. Not where a request waits for its answer with its body whole: what came is another one's,
   * and the answer would be taken for the first's; nor where that one has its answer.
   */
  #endWith(socket: Duplex, answer: Buffer): void {
    const response = this.#serving.get(socket);
    const served = response === undefined || response.writableFinished;
    if (!socket.writable || (!served && !response.headersSent && response.req.complete)) socket.destroy();
    else if (!served && response.headersSent) socket.end();
    else socket.end(answer);
  }

  async #serve(message: IncomingMessage, response: ServerResponse): Promise<void> {
    this.#open++;
    this.#serving.set(message.socket, response);
    // A response that stands behind another is not told when their connection is gone.
    const over = Promise.withResolvers<void>();
    response.once('close', over.resolve);
    message.socket.once('close', over.resolve);
    try {
      await this.#handle(message, response, over.promise);
      await over.promise;
    } finally {
      message.socket.off('close', over.resolve);
      this.#open--;
      if (this.#open === 0) this.#drained();
    }
  }

  async #handle(message: IncomingMessage, response: ServerResponse, over: Promise<void>): Promise<void> {
    const { headers } = message;
    const form: AnswerForm = { format: formatOf(headers), gzip: acceptsGzip(headers) };
    const signal = signalOf(message.url ?? '');
    const early: Early = (refusal) => {
      if (signal !== undefined) this.#parts.events.answered(signal, 'http', undefined, refusal, undefined);
      refuseEarly(message, response, form, { refusal, lingers: this.#lingers, closing: this.#stopping });
    };
    if (this.#stopping) return early(refuse('shutting_down', 'the edge is stopping; try again'));
    if (headers.host === undefined) return early(refuse('malformed', 'the request has no host header'));
    if (signal === undefined) return early(refuse('not_found', 'there are /v1/traces, /v1/logs and /v1/metrics'));
    if (message.method !== 'POST') return early(refuse('method_not_allowed', 'use POST'));
    const who = this.#parts.authenticate({
      authorization: message.headersDistinct.authorization ?? [],
      apiKey: message.headersDistinct['x-api-key'] ?? [],
    });
    if (who.kind === 'refused') return early(who);
    const { tenant } = who;
    const full = this.#requests.take(tenant, 0, 0, 1);
    if (full !== undefined) return early(full);
    try {
      const head = readHead(message, signal);
      if ('kind' in head) early(head);
      else await this.#take(message, response, { tenant, head, form, early });
      await over;
    } finally {
      // Not before: an export goes on where its client does not.
      this.#requests.give(tenant, 0, 1);
    }
  }

  /** Reads the body, and answers when the export is over. */
  async #take(message: IncomingMessage, response: ServerResponse, request: Request): Promise<void> {
    const { tenant, head, form, early } = request;
    const { bodyBytesMax, queue } = this.#parts;
    const bytesMax = bodyBytesOf(tenant, head.encoding, bodyBytesMax);
    const onWanted = () => {
      if (message.headers.expect?.toLowerCase() === '100-continue') response.writeContinue();
    };
    const bounds = { bytesMax, queue, tenant, deadlines: this.#deadlines, onWanted };
    const received = await readBody(message, bounds);
    if (received === undefined) return void response.destroy();
    if (received.kind === 'refused') return early(received);
    const { body, ownsBody } = received;
    const heldBytes = body.length;
    try {
      const export_: RawExport = { tenant, transport: 'http', body, ownsBody, ...head };
      const answer = await admit(this.#parts, this.#next, export_);
      if (answer.kind === 'refused') sendRefused(response, form, answer);
      else sendAccepted(response, head.signal, form, answer);
    } finally {
      queue.give(tenant, heldBytes, 0);
    }
  }
}
