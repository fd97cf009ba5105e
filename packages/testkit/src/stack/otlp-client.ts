import { gzipSync } from 'node:zlib';
import { Client, credentials, Metadata, type ServiceError } from '@grpc/grpc-js';
import type { SignalKind } from '@weir/pipeline';
import { Agent, request } from 'undici';
import type { TestStack } from './test-stack.ts';

/** What came back over HTTP. */
export interface HttpAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Buffer;
}

/** What came back over gRPC: the response's bytes, or the error. */
export type GrpcAnswer =
  | { readonly ok: true; readonly body: Buffer }
  | { readonly ok: false; readonly error: ServiceError };

const SERVICES: Readonly<Record<SignalKind, string>> = {
  traces: '/opentelemetry.proto.collector.trace.v1.TraceService/Export',
  logs: '/opentelemetry.proto.collector.logs.v1.LogsService/Export',
  metrics: '/opentelemetry.proto.collector.metrics.v1.MetricsService/Export',
};

const identity = (bytes: Buffer): Buffer => bytes;

/** Sends bytes to a stack as any OTLP client would; through Envoy, or with `direct` to the edge itself. */
export class OtlpClient {
  readonly #stack: TestStack;
  readonly #direct: boolean;
  readonly #agent: Agent;
  readonly #grpc: Client;

  constructor(stack: TestStack, options: { readonly direct?: boolean } = {}) {
    this.#stack = stack;
    this.#direct = options.direct ?? false;
    this.#agent = new Agent({ connect: { ca: stack.ca }, headersTimeout: 30_000 });
    const target = new URL(this.#urls.grpc).host;
    this.#grpc = new Client(target, credentials.createSsl(stack.ca), {
      'grpc.max_send_message_length': 256 * 1024 ** 2,
      'grpc.default_compression_algorithm': 0,
    });
  }

  get #urls(): { readonly grpc: string; readonly http: string } {
    return this.#direct ? this.#stack.local.edge : this.#stack.local.otlp;
  }

  async http(
    path: string,
    body: Buffer | string,
    headers: Readonly<Record<string, string>>,
    method = 'POST',
  ): Promise<HttpAnswer> {
    const answer = await request(`${this.#urls.http}${path}`, {
      method: method as 'POST',
      headers: { ...headers },
      ...(method === 'GET' ? {} : { body }),
      dispatcher: this.#agent,
    });
    const bytes = Buffer.from(await answer.body.arrayBuffer());
    return { status: answer.statusCode, headers: answer.headers, body: bytes };
  }

  /** A well-formed export: protobuf or JSON, compressed or not. */
  export(
    signal: SignalKind,
    body: Buffer | string,
    options: { readonly key: string; readonly gzip?: boolean; readonly headers?: Readonly<Record<string, string>> },
  ): Promise<HttpAnswer> {
    const json = typeof body === 'string';
    const plain = Buffer.from(body);
    return this.http(`/v1/${signal}`, options.gzip === true ? gzipSync(plain) : plain, {
      authorization: `Bearer ${options.key}`,
      'content-type': json ? 'application/json' : 'application/x-protobuf',
      ...(options.gzip === true ? { 'content-encoding': 'gzip' } : {}),
      ...options.headers,
    });
  }

  grpc(
    signal: SignalKind,
    body: Buffer,
    options: {
      readonly key?: string;
      readonly gzip?: boolean;
      readonly headers?: Readonly<Record<string, string>>;
      readonly method?: string;
    } = {},
  ): Promise<GrpcAnswer> {
    const metadata = new Metadata();
    if (options.key !== undefined) metadata.set('authorization', `Bearer ${options.key}`);
    for (const [name, value] of Object.entries(options.headers ?? {})) metadata.set(name, value);
    if (options.gzip === true) metadata.set('grpc-internal-encoding-request', 'gzip');
    const path = options.method ?? SERVICES[signal];
    const deadline = Date.now() + 30_000;
    return new Promise((resolve) => {
      this.#grpc.makeUnaryRequest(path, identity, identity, body, metadata, { deadline }, (error, response) => {
        if (error === null) resolve({ ok: true, body: response ?? Buffer.alloc(0) });
        else resolve({ ok: false, error });
      });
    });
  }

  async close(): Promise<void> {
    this.#grpc.close();
    await this.#agent.close();
  }
}
