import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  type IncomingHttpHeaders,
  type SecureClientSessionOptions,
} from 'node:http2';
import type { SignalKind } from '@weir/pipeline';
import { decodeRpcStatus, type RpcStatus } from './rpc-status.ts';

/** Paths of the three methods. */
export const GRPC_METHODS: Readonly<Record<SignalKind, string>> = {
  traces: '/opentelemetry.proto.collector.trace.v1.TraceService/Export',
  logs: '/opentelemetry.proto.collector.logs.v1.LogsService/Export',
  metrics: '/opentelemetry.proto.collector.metrics.v1.MetricsService/Export',
};

/** What a call came to. */
export interface GrpcWireAnswer {
  /** The `:status`; undefined where the stream ended without headers. */
  readonly http: number | undefined;
  /** grpc-status; undefined where there was none. */
  readonly code: number | undefined;
  readonly message: string;
  /** Of grpc-status-details-bin. */
  readonly status: RpcStatus | undefined;
  /** Headers and trailers in one. */
  readonly headers: IncomingHttpHeaders;
  /** The response message, without its prefix; undefined where there was none. */
  readonly body: Buffer | undefined;
  /** The code of RST_STREAM, 0 where there was none. */
  readonly reset: number;
}

/** A message with the five bytes before it; `length` says another length than the message has. */
export function grpcFrame(message: Uint8Array, compressed = false, length = message.length): Buffer {
  const head = Buffer.alloc(5);
  head[0] = compressed ? 1 : 0;
  head.writeUInt32BE(length, 1);
  return Buffer.concat([head, message]);
}

/** A call whose bytes a test writes itself. */
export interface GrpcWireCall {
  readonly stream: ClientHttp2Stream;
  /** Resolves when the stream has closed. */
  readonly answer: Promise<GrpcWireAnswer>;
}

/** One HTTP/2 connection over TLS on which a test makes gRPC calls by hand. */
export class GrpcWire {
  readonly session: ClientHttp2Session;
  /** Resolves with its error code and last stream when a GOAWAY came. */
  readonly goaway: Promise<{ readonly code: number; readonly lastStream: number }>;
  readonly closed: Promise<void>;

  constructor(url: string, options: SecureClientSessionOptions) {
    this.session = connect(url, options);
    this.session.on('error', () => undefined);
    this.closed = new Promise((resolve) => this.session.once('close', () => resolve()));
    this.goaway = new Promise((resolve) =>
      this.session.once('goaway', (code, lastStream) => resolve({ code, lastStream: lastStream ?? 0 })),
    );
  }

  /** Opens a call; these headers are sent beside, or instead of, those of every gRPC call. */
  open(path: string, headers: Readonly<Record<string, string>> = {}): GrpcWireCall {
    const stream = this.session.request(
      { ':method': 'POST', ':path': path, 'content-type': 'application/grpc', te: 'trailers', ...headers },
      { endStream: false },
    );
    stream.on('error', () => undefined);
    let seen: IncomingHttpHeaders = {};
    stream.on('response', (got) => {
      seen = { ...seen, ...got };
    });
    stream.on('trailers', (got) => {
      seen = { ...seen, ...got };
    });
    const pieces: Buffer[] = [];
    stream.on('data', (piece: Buffer) => pieces.push(piece));
    const answer = new Promise<GrpcWireAnswer>((resolve) =>
      stream.once('close', () => resolve(toAnswer(seen, Buffer.concat(pieces), stream.rstCode ?? 0))),
    );
    return { stream, answer };
  }

  /** One unary call. */
  call(path: string, frames: Uint8Array, headers: Readonly<Record<string, string>> = {}): Promise<GrpcWireAnswer> {
    const { stream, answer } = this.open(path, headers);
    stream.end(frames);
    return answer;
  }

  destroy(): void {
    this.session.destroy();
  }
}

function toAnswer(headers: IncomingHttpHeaders, bytes: Buffer, reset: number): GrpcWireAnswer {
  const code = headers['grpc-status'];
  const details = headers['grpc-status-details-bin'];
  return {
    http: headers[':status'] === undefined ? undefined : Number(headers[':status']),
    code: code === undefined ? undefined : Number(code),
    message: decodeURIComponent(String(headers['grpc-message'] ?? '')),
    status: details === undefined ? undefined : decodeRpcStatus(Buffer.from(String(details), 'base64'), 'protobuf'),
    headers,
    body: bytes.length >= 5 ? bytes.subarray(5, 5 + bytes.readUInt32BE(1)) : undefined,
    reset,
  };
}
