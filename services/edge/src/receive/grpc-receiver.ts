import {
  experimental,
  type status as grpcStatus,
  type handleUnaryCall,
  Metadata,
  Server,
  ServerInterceptingCall,
  type ServerInterceptor,
  type ServiceDefinition,
} from '@grpc/grpc-js';
import { encodeExportResponse, encodeRetryInfo, encodeStatus } from '@weir/otlp';
import { type Component, type Consumer, REFUSALS, type Refused, refuse, type SignalKind } from '@weir/pipeline';
import type { Tenant } from '@weir/tenancy';
import type { Answer, RawExport } from '../exports.ts';
import { LIMITS } from '../limits.ts';
import { admit, type ReceiverParts } from './receiver.ts';
import type { TlsMaterial } from './tls-files.ts';

const MIB = 1024 ** 2;

/** Bounds of a connection. Windows well above grpc-js's own: an export of 380 KB otherwise waits for several round trips. */
const SERVER_OPTIONS = {
  'grpc.max_concurrent_streams': 100,
  'grpc.max_connection_idle_ms': 300_000,
  'grpc.max_connection_age_ms': 3_600_000,
  'grpc.max_connection_age_grace_ms': 30_000,
  'grpc.keepalive_time_ms': 60_000,
  'grpc.keepalive_timeout_ms': 20_000,
  'grpc.max_metadata_size': LIMITS.headerBytesMax,
  'grpc-node.max_session_memory': 128,
  'grpc-node.flow_control_window': 4 * MIB,
  'grpc.http2.min_ping_interval_without_data_ms': 5_000,
};

const METHODS: Readonly<Record<SignalKind, string>> = {
  traces: '/opentelemetry.proto.collector.trace.v1.TraceService/Export',
  logs: '/opentelemetry.proto.collector.logs.v1.LogsService/Export',
  metrics: '/opentelemetry.proto.collector.metrics.v1.MetricsService/Export',
};

const identity = (bytes: Buffer): Buffer => bytes;

/** OTLP/gRPC on grpc-js. Bodies stay bytes: nothing is decoded that would throw inside the library. */
export class GrpcReceiver implements Component {
  readonly name = 'grpc receiver';
  readonly #parts: ReceiverParts;
  readonly #next: Consumer<RawExport, Answer>;
  #server: Server | undefined;
  #stopping = false;

  constructor(parts: ReceiverParts, next: Consumer<RawExport, Answer>) {
    this.#parts = parts;
    this.#next = next;
  }

  async start(): Promise<void> {
    const { listen, bodyBytesMax } = this.#parts;
    const server = new Server({
      ...SERVER_OPTIONS,
      'grpc.max_receive_message_length': bodyBytesMax,
      interceptors: [this.#authenticating()],
    });
    for (const [signal, path] of Object.entries(METHODS) as [SignalKind, string][]) {
      const export_: handleUnaryCall<Buffer, Buffer> = (call, callback) => {
        void this.#handle(signal, call.request, call.metadata).then((answer) => {
          if (answer.kind === 'refused') return callback(toServiceError(answer));
          const { rejectedItems, message } = answer;
          callback(null, encodeExportResponse(signal, 'protobuf', { rejectedItems, message }));
        });
      };
      server.addService(definition(path), { Export: export_ });
    }
    this.#server = server;
    await new Promise<void>((resolve, reject) => {
      server.bindAsync(`${listen.host}:${listen.port}`, this.#credentials(), (error) =>
        error ? reject(error) : resolve(),
      );
    });
  }

  /** Tells clients to go (GOAWAY), answers what is in flight, and closes. */
  async stop(signal: AbortSignal): Promise<void> {
    const server = this.#server;
    if (server === undefined) return;
    this.#server = undefined;
    this.#stopping = true;
    await new Promise<void>((resolve) => {
      signal.addEventListener(
        'abort',
        () => {
          server.forceShutdown();
          resolve();
        },
        { once: true },
      );
      server.tryShutdown(() => resolve());
    });
  }

  /** Certificates that follow the files. */
  #credentials() {
    const { tls, clientRequired } = this.#parts;
    const identities = new Set<(update: { certificate: Buffer; privateKey: Buffer } | null) => void>();
    const authorities = new Set<(update: { caCertificate: Buffer } | null) => void>();
    const identityOf = ({ cert, key }: TlsMaterial) => ({ certificate: cert, privateKey: key });
    const authorityOf = ({ clientCa }: TlsMaterial) => (clientCa === undefined ? null : { caCertificate: clientCa });
    tls.onChange((material) => {
      for (const listener of identities) listener(identityOf(material));
      for (const listener of authorities) listener(authorityOf(material));
    });
    const provider = {
      addIdentityCertificateListener: (listener: Parameters<typeof identities.add>[0]) => {
        identities.add(listener);
        // Not at once: the library listens only after this returns.
        process.nextTick(listener, identityOf(tls.current));
      },
      removeIdentityCertificateListener: (listener: Parameters<typeof identities.add>[0]) =>
        identities.delete(listener),
      addCaCertificateListener: (listener: Parameters<typeof authorities.add>[0]) => {
        authorities.add(listener);
        process.nextTick(listener, authorityOf(tls.current));
      },
      removeCaCertificateListener: (listener: Parameters<typeof authorities.add>[0]) => authorities.delete(listener),
    };
    const ca = tls.current.clientCa === undefined ? null : provider;
    return experimental.createCertificateProviderServerCredentials(ca as never, provider as never, clientRequired);
  }

  /** Ends a call whose key is not good before its message is received. */
  #authenticating(): ServerInterceptor {
    const signals = new Map(Object.entries(METHODS).map(([signal, path]) => [path, signal as SignalKind]));
    return (method, call) =>
      new ServerInterceptingCall(call, {
        start: (next) =>
          next({
            onReceiveMetadata: (metadata, nextMetadata) => {
              const who = this.#who(metadata);
              if (who.kind !== 'refused') return nextMetadata(metadata);
              const signal = signals.get(method.path);
              if (signal !== undefined) this.#parts.events.answered(signal, 'grpc', undefined, who, 0);
              call.sendStatus(toServiceError(who));
            },
            onReceiveMessage: (message, nextMessage) => nextMessage(message),
            onReceiveHalfClose: (nextHalfClose) => nextHalfClose(),
            onCancel: () => undefined,
          }),
      });
  }

  #who(metadata: Metadata): { kind: 'tenant'; tenant: Tenant } | Refused {
    if (this.#stopping) return refuse('shutting_down', 'the edge is stopping; try again');
    return this.#parts.authenticate({
      authorization: metadata.get('authorization').map(String),
      apiKey: metadata.get('x-api-key').map(String),
    });
  }

  async #handle(signal: SignalKind, body: Buffer, metadata: Metadata): Promise<Answer> {
    const who = this.#who(metadata);
    const { budget, events } = this.#parts;
    const early = (refusal: Refused): Refused => {
      events.answered(signal, 'grpc', undefined, refusal, 0);
      return refusal;
    };
    if (who.kind === 'refused') return early(who);
    if (!budget.tryTake(body.length, 0)) return early(refuse('edge_full', 'the edge is full'));
    try {
      const export_: RawExport = {
        tenant: who.tenant,
        signal,
        transport: 'grpc',
        format: 'protobuf',
        encoding: 'identity',
        body,
      };
      return await admit(this.#parts, this.#next, export_);
    } catch {
      return refuse('internal', 'the export could not be handled; try again');
    } finally {
      budget.give(body.length, 0);
    }
  }
}

function definition(path: string): ServiceDefinition {
  return {
    Export: {
      path,
      requestStream: false,
      responseStream: false,
      requestSerialize: identity,
      requestDeserialize: identity,
      responseSerialize: identity,
      responseDeserialize: identity,
      originalName: 'export',
    },
  };
}

/** Status, message and, where the client may try again, RetryInfo in both trailers that clients read. */
function toServiceError(refusal: Refused): {
  code: grpcStatus;
  details: string;
  metadata: Metadata;
  name: string;
  message: string;
} {
  const code = REFUSALS[refusal.reason].grpc;
  const { message, retryAfterS } = refusal;
  const metadata = new Metadata();
  const badRequestField = refusal.reason === 'malformed' ? 'body' : undefined;
  metadata.set(
    'grpc-status-details-bin',
    encodeStatus({ grpcCode: code, message, retryAfterS, badRequestField }, 'protobuf'),
  );
  if (retryAfterS !== undefined) metadata.set('google.rpc.retryinfo-bin', encodeRetryInfo(retryAfterS));
  return { code, details: message, metadata, name: 'refused', message };
}
