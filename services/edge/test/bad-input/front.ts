import { connect as connectHttp2, type IncomingHttpHeaders } from 'node:http2';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import type { SignalKind } from '@weir/pipeline';
import { OtlpClient, type TestStack } from '@weir/testkit';

export const TRANSPORTS = ['HTTP/protobuf', 'HTTP/JSON', 'gRPC'] as const;
export type Transport = (typeof TRANSPORTS)[number];

/** A request as a hostile client makes it: nothing is checked, compressed or put right on its way. */
export interface Attempt {
  readonly transport: Transport;
  readonly body: Buffer | string;
  /** Left out: without a key. */
  readonly key?: string | undefined;
  readonly signal?: SignalKind;
  readonly encoding?: string | undefined;
  readonly headers?: Readonly<Record<string, string | string[]>>;
}

/** What came back: the HTTP status, or the gRPC one; -1 where the stream or the connection ended without. */
export interface Reply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Buffer;
}

const TYPES = { 'HTTP/protobuf': 'application/x-protobuf', 'HTTP/JSON': 'application/json' } as const;

export const GRPC_PATHS: Readonly<Record<SignalKind, string>> = {
  traces: '/opentelemetry.proto.collector.trace.v1.TraceService/Export',
  logs: '/opentelemetry.proto.collector.logs.v1.LogsService/Export',
  metrics: '/opentelemetry.proto.collector.metrics.v1.MetricsService/Export',
};

/** Where attacks go: the edge's own ports, or Envoy's before it. */
export class Front {
  readonly name: 'edge' | 'Envoy';
  readonly stack: TestStack;
  #client: OtlpClient | undefined;

  /** Nothing is asked of the stack before it is used: tests are also listed without one. */
  constructor(stack: TestStack, name: 'edge' | 'Envoy') {
    this.name = name;
    this.stack = stack;
  }

  get client(): OtlpClient {
    this.#client ??= new OtlpClient(this.stack, { direct: this.name === 'edge' });
    return this.#client;
  }

  /** Processes that an attack on this front reaches. */
  get processes(): readonly string[] {
    return this.name === 'edge' ? ['edge'] : ['envoy', 'edge'];
  }

  port(which: 'http' | 'grpc'): number {
    const { edge, otlp } = this.stack.local;
    return Number(new URL((this.name === 'edge' ? edge : otlp)[which]).port);
  }

  async send(attempt: Attempt): Promise<Reply> {
    if (attempt.transport === 'gRPC') return this.#sendGrpc(attempt);
    const { transport, key, encoding, signal = 'traces' } = attempt;
    const headers: Record<string, string> = { 'content-type': TYPES[transport] };
    if (key !== undefined) headers.authorization = `Bearer ${key}`;
    if (encoding !== undefined) headers['content-encoding'] = encoding;
    for (const [name, value] of Object.entries(attempt.headers ?? {})) headers[name] = value as string;
    try {
      return await this.client.http(`/v1/${signal}`, attempt.body, headers);
    } catch {
      // Envoy speaks HTTP/2 to this client, and resets the stream of what it refuses.
      return { status: -1, headers: {}, body: Buffer.alloc(0) };
    }
  }

  #sendGrpc({ body, key, encoding, signal = 'traces', headers }: Attempt): Promise<Reply> {
    const metadata: Record<string, string | string[]> = {};
    if (key !== undefined) metadata.authorization = `Bearer ${key}`;
    if (encoding !== undefined) metadata['grpc-encoding'] = encoding;
    return this.grpcStream({ ...metadata, ...headers }, grpcFrame(Buffer.from(body), encoding !== undefined), {
      path: GRPC_PATHS[signal],
    });
  }

  /** One gRPC call with exactly these bytes, on a connection of its own. `end: false` leaves its stream open. */
  grpcStream(
    headers: Readonly<Record<string, string | string[]>>,
    bytes: Buffer,
    options: { readonly path?: string; readonly end?: boolean } = {},
  ): Promise<Reply> {
    return new Promise((resolve) => {
      const session = connectHttp2(`https://localhost:${this.port('grpc')}`, {
        ca: this.stack.ca,
        // Node counts what waits to be sent, and would not take the answer beside it.
        maxSessionMemory: 1_024,
      });
      session.on('error', () => undefined);
      const stream = session.request({
        ':method': 'POST',
        ':path': options.path ?? GRPC_PATHS.traces,
        'content-type': 'application/grpc',
        te: 'trailers',
        ...headers,
      });
      let answer: IncomingHttpHeaders = {};
      const pieces: Buffer[] = [];
      stream.on('response', (found) => {
        answer = { ...answer, ...found };
      });
      stream.on('trailers', (found) => {
        answer = { ...answer, ...found };
      });
      stream.on('data', (piece: Buffer) => pieces.push(piece));
      stream.on('error', () => undefined);
      stream.on('close', () => {
        session.destroy();
        const { 'grpc-status': status = '-1' } = answer;
        resolve({ status: Number(status), headers: answer, body: Buffer.concat(pieces) });
      });
      if (options.end === false) stream.write(bytes);
      else stream.end(bytes);
    });
  }

  /** The gRPC status of an empty export that carries a header twice. */
  doubled(header: string, first: string, second: string, bytes: Buffer): Promise<number> {
    return new Promise((resolve) => {
      const options = { ca: this.stack.ca, strictSingleValueFields: false };
      const session = connectHttp2(`https://localhost:${this.port('grpc')}`, options);
      session.on('error', () => undefined);
      const pseudo = [':method', 'POST', ':path', GRPC_PATHS.traces, ':scheme', 'https', ':authority', 'localhost'];
      const rest = ['content-type', 'application/grpc', 'te', 'trailers', header, first, header, second];
      const stream = session.request([...pseudo, ...rest]);
      let status = -1;
      const see = (found: IncomingHttpHeaders) => {
        if (found['grpc-status'] !== undefined) status = Number(found['grpc-status']);
      };
      stream
        .on('response', see)
        .on('trailers', see)
        .on('error', () => undefined)
        .resume();
      stream.on('close', () => {
        session.destroy();
        resolve(status);
      });
      stream.end(bytes);
    });
  }

  /** A bare TLS connection to one of the ports. */
  connect(which: 'http' | 'grpc', options: { readonly alpn?: string; readonly servername?: string } = {}) {
    return new Promise<TLSSocket>((resolve, reject) => {
      const socket = connectTls({
        host: '127.0.0.1',
        servername: options.servername ?? 'localhost',
        port: this.port(which),
        ca: this.stack.ca,
        ALPNProtocols: [options.alpn ?? (which === 'http' ? 'http/1.1' : 'h2')],
      });
      socket.once('error', reject);
      socket.once('secureConnect', () => {
        socket.off('error', reject);
        socket.on('error', () => undefined);
        resolve(socket);
      });
    });
  }

  /** All that the HTTP port says to these bytes until it closes; they should ask for that. */
  async raw(bytes: string | Buffer): Promise<string> {
    const socket = await this.connect('http');
    let said = '';
    socket.on('data', (piece: Buffer) => {
      said += piece.toString('latin1');
    });
    const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
    socket.write(bytes);
    await closed;
    return said;
  }

  async close(): Promise<void> {
    await this.#client?.close();
  }
}

/** A gRPC message with its prefix. */
export function grpcFrame(body: Buffer, compressed = false, length = body.length): Buffer {
  const prefix = Buffer.alloc(5);
  prefix[0] = compressed ? 1 : 0;
  prefix.writeUInt32BE(length, 1);
  return Buffer.concat([prefix, body]);
}

/** The status that a reason has on a transport. */
export function statusOn(transport: Transport, statuses: { readonly http: number; readonly grpc: number }): number {
  return transport === 'gRPC' ? statuses.grpc : statuses.http;
}
