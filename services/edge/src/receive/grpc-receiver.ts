import { constants, type ServerHttp2Stream } from 'node:http2';
import {
  type handleUnaryCall,
  logVerbosity,
  Metadata,
  Server,
  ServerInterceptingCall,
  type ServerInterceptor,
  type ServiceDefinition,
  setLogVerbosity,
} from '@grpc/grpc-js';
import { encodeExportResponse } from '@weir/otlp';
import { Budget, type Component, type Consumer, InvariantError, refuse, type SignalKind } from '@weir/pipeline';
import { EdgeQueue } from '../edge-queue.ts';
import type { Answer, Authenticated, RawExport } from '../exports.ts';
import { LIMITS } from '../limits.ts';
import { Deadlines } from './deadlines.ts';
import { type CallRoom, GrpcCall } from './grpc-call.ts';
import { openInjectors } from './grpc-injectors.ts';
import { GrpcListener } from './grpc-listener.ts';
import { boundSessions, type SessionBounds } from './grpc-sessions.ts';
import { ACCEPTED_ENCODINGS, type RefusalStatus, toStatus } from './grpc-status.ts';
import { admit, type ReceiverParts } from './receiver.ts';

const SESSION_MEMORY_MIB = 128;

const METHODS: Readonly<Record<SignalKind, string>> = {
  traces: '/opentelemetry.proto.collector.trace.v1.TraceService/Export',
  logs: '/opentelemetry.proto.collector.logs.v1.LogsService/Export',
  metrics: '/opentelemetry.proto.collector.metrics.v1.MetricsService/Export',
};

/** The library would name only those that it inflates itself. */
const ACCEPTING = new Metadata();
ACCEPTING.set('grpc-accept-encoding', ACCEPTED_ENCODINGS);

const identity = (bytes: Buffer): Buffer => bytes;

/** What a receiver holds at once, and its connections are held to. */
export interface GrpcBounds extends SessionBounds {
  /** Of a message, as it comes, in MiB; undefined: as large as a body may be. */
  readonly receiveMib?: number | undefined;
  /** The server pings a connection that was silent so long, and closes it without an answer in time. */
  readonly keepaliveTimeMs: number;
  readonly keepaliveTimeoutMs: number;
  /** A connection without calls is closed. */
  readonly connectionIdleMaxMs: number;
  /** A connection this old is told to go, give or take a tenth; its calls have the grace. */
  readonly connectionAgeMaxMs: number;
  readonly connectionAgeGraceMs: number;
  readonly connectionsMax: number;
  /** Over all connections, from a call's headers to the end of its stream and of its export, which may be later. */
  readonly callsMax: number;
  readonly handshakeTimeoutMs: number;
}

const BOUNDS = {
  connectionsMax: LIMITS.grpcConnectionsMax,
  callsMax: LIMITS.grpcCallsMax,
  handshakeTimeoutMs: LIMITS.headersTimeoutMs,
};

/** What an operator may set of them. */
export type GrpcSettings = Omit<GrpcBounds, keyof typeof BOUNDS>;

/**
 * OTLP/gRPC on grpc-js. Bodies stay bytes: nothing is decoded, or inflated, that would throw inside the library.
 *
 * What holds, whatever clients do: connections, those in their handshake too, are at most `connectionsMax`; calls with a
 * good key at most `callsMax`, and one without is closed as soon as it is answered; the bytes of messages, as they came
 * and from the first piece to the answer, are within the queue that HTTP bodies are in as well; and no message takes
 * longer to come than `LIMITS.bodyTimeoutMs`. Streams are read as fast as they come, so that the flow-control windows
 * hold nothing that the queue has not seen. It does not see the state of connections and calls themselves (some 85 KB
 * and 45 KB, measured), nor a message for the moment in which its pieces become one buffer, nor what admission inflates.
 */
export class GrpcReceiver implements Component {
  readonly name = 'grpc receiver';
  readonly #parts: ReceiverParts;
  readonly #next: Consumer<RawExport, Answer>;
  readonly #bounds: GrpcBounds;
  readonly #room: CallRoom;
  #server: Server | undefined;
  #listener: GrpcListener | undefined;
  #answered: () => void = () => undefined;
  /** Exports that have been read and have no answer yet. */
  #handling = 0;

  constructor(parts: ReceiverParts, next: Consumer<RawExport, Answer>, bounds: GrpcSettings & Partial<GrpcBounds>) {
    const { receiveMib } = bounds;
    const bodyBytesMax = receiveMib === undefined ? parts.bodyBytesMax : receiveMib * 1024 ** 2;
    this.#parts = { ...parts, bodyBytesMax };
    this.#next = next;
    // For a header that it does not allow the library would write a line with all of it, a key too, and wait for stderr.
    setLogVerbosity(logVerbosity.NONE);
    this.#bounds = { ...BOUNDS, ...bounds };
    this.#room = {
      calls: new EdgeQueue(new Budget({ bytesMax: 1, itemsMax: this.#bounds.callsMax })),
      deadlines: new Deadlines(parts.clock, LIMITS.bodyTimeoutMs),
      onClosed: () => {
        if (this.#isIdle) this.#answered();
      },
    };
  }

  async start(): Promise<void> {
    const { bodyBytesMax, clock } = this.#parts;
    const { connectionsMax, handshakeTimeoutMs } = this.#bounds;
    const server = new Server({
      ...serverOptions(this.#bounds),
      'grpc.max_receive_message_length': bodyBytesMax,
      interceptors: [this.#following()],
    });
    boundSessions(server, this.#bounds, clock);
    explainUnknownMethods(server);
    for (const [signal, path] of Object.entries(METHODS) as [SignalKind, string][]) {
      const export_: handleUnaryCall<GrpcCall, Buffer> = (call, callback) => {
        void this.#handle(call.request).then((answer) => {
          if (answer.kind === 'refused') return callback(toStatus(answer));
          const { rejectedItems, message } = answer;
          call.sendMetadata(ACCEPTING);
          callback(null, encodeExportResponse(signal, 'protobuf', { rejectedItems, message }));
        });
      };
      server.addService(definition(path), { Export: export_ });
    }
    const listener = new GrpcListener({ ...this.#parts, connectionsMax, handshakeTimeoutMs }, openInjectors(server));
    await listener.start();
    this.#server = server;
    this.#listener = listener;
  }

  /**
   * Tells clients to go (GOAWAY), answers every call that has come, and closes; what comes later is REFUSED_STREAM. The
   * library's own shutdown does not wait for connections that were injected, so we do: for the calls, and then for the
   * connections, on which the last answers are on their way.
   */
  async stop(signal: AbortSignal): Promise<void> {
    const server = this.#server;
    if (server === undefined) return;
    this.#server = undefined;
    const closed = this.#listener?.stop();
    const answered = new Promise<void>((resolve) => {
      this.#answered = resolve;
    });
    if (this.#isIdle) this.#answered();
    server.tryShutdown(() => undefined);
    const given = new Promise<void>((resolve) => {
      if (signal.aborted) resolve();
      signal.addEventListener('abort', () => resolve(), { once: true });
    });
    const { clock } = this.#parts;
    // A client that has its answers may keep its connection open.
    const kept = answered.then(() => clock.sleep(LIMITS.connectionCloseMs, signal)).catch(() => undefined);
    // Connections may all be gone before the exports that came on them are answered.
    await Promise.race([Promise.all([closed, answered]), kept, given]);
    server.forceShutdown();
    this.#room.deadlines.stop();
  }

  /** Follows each call from its headers on; one whose key is not good ends before its message is received. */
  #following(): ServerInterceptor {
    const signals = new Map(Object.entries(METHODS).map(([signal, path]) => [path, signal as SignalKind]));
    return (method, call) => {
      const signal = signals.get(method.path);
      if (signal === undefined) throw new InvariantError(`${method.path} is served but not known`);
      const incoming = new GrpcCall(call, signal, this.#parts, this.#room);
      return new ServerInterceptingCall(call, {
        start: (next) =>
          next({
            onReceiveMetadata: (metadata, nextMetadata) => {
              if (incoming.begin(this.#who(metadata))) nextMetadata(metadata);
            },
            onReceiveMessage: (message, nextMessage) => {
              if (incoming.take(message)) nextMessage(incoming);
            },
            onReceiveHalfClose: (nextHalfClose) => {
              if (incoming.end()) nextHalfClose();
            },
            onCancel: () => undefined,
          }),
      });
    };
  }

  #who(metadata: Metadata): Authenticated {
    return this.#parts.authenticate({
      authorization: metadata.get('authorization').map(String),
      apiKey: metadata.get('x-api-key').map(String),
    });
  }

  /** An export may outlive its call, where the client did not wait. */
  get #isIdle(): boolean {
    return this.#room.calls.budget.items === 0 && this.#handling === 0;
  }

  async #handle(incoming: GrpcCall): Promise<Answer> {
    const { signal } = incoming;
    this.#handling++;
    const export_: RawExport = {
      ...incoming.handOver(),
      ownsBody: true,
      signal,
      transport: 'grpc',
      format: 'protobuf',
    };
    try {
      return await admit(this.#parts, this.#next, export_);
    } finally {
      incoming.finish();
      this.#handling--;
      this.#room.onClosed();
    }
  }
}

function serverOptions(bounds: GrpcBounds) {
  return {
    'grpc.max_connection_idle_ms': bounds.connectionIdleMaxMs,
    'grpc.max_connection_age_ms': bounds.connectionAgeMaxMs,
    'grpc.max_connection_age_grace_ms': bounds.connectionAgeGraceMs,
    'grpc.keepalive_time_ms': bounds.keepaliveTimeMs,
    'grpc.keepalive_timeout_ms': bounds.keepaliveTimeoutMs,
    'grpc-node.max_session_memory': SESSION_MEMORY_MIB,
  };
}

/** What is used of the library's server beside its public interface: the answer to methods that are not served. */
interface ServerInternals {
  _respondWithError(error: Partial<RefusalStatus>, stream: ServerHttp2Stream, session: unknown): void;
}

/** The library answers a method that it does not know without a Status, and leaves the stream to its client. */
function explainUnknownMethods(server: Server): void {
  const internals = server as unknown as ServerInternals;
  if (typeof internals._respondWithError !== 'function') throw new InvariantError('grpc-js answers in another way');
  const respond = internals._respondWithError.bind(internals);
  const status = toStatus(
    refuse('not_found', 'there are TraceService, LogsService and MetricsService, each with Export'),
  );
  internals._respondWithError = (_error, stream, session) => {
    respond(status, stream, session);
    stream.on('error', () => undefined);
    setImmediate(() => stream.close(constants.NGHTTP2_NO_ERROR));
  };
}

/** Requests and responses stay as they are: bytes, but for the request, which the interceptor makes a {@link GrpcCall}. */
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
