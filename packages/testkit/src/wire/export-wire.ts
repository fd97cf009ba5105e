import { fromBinary, fromJsonString } from '@bufbuild/protobuf';
import type { SignalKind } from '@weir/pipeline';
import { encodeJsonExport } from '../oracle/json.ts';
import { RESPONSE_SCHEMAS } from '../oracle/otlp.ts';
import type { TestStack } from '../stack/test-stack.ts';
import { GRPC_METHODS, GrpcWire, grpcFrame } from './grpc-wire.ts';
import { Http1Wire, http1Bytes } from './http1-wire.ts';
import { decodeRpcStatus, type RpcStatus } from './rpc-status.ts';

/** The three transports of OTLP, as tests are named for them. */
export const WIRE_TRANSPORTS = ['HTTP/protobuf', 'HTTP/JSON', 'gRPC'] as const;
export type WireTransport = (typeof WIRE_TRANSPORTS)[number];

/** Where a request goes: to the edge's own port, or through Envoy. */
export const WIRE_PLACES = ['edge', 'Envoy'] as const;
export type WirePlace = (typeof WIRE_PLACES)[number];

/** Whom a wire talks to. */
export interface WireTarget {
  readonly http: string;
  readonly grpc: string;
  readonly ca: Buffer;
}

/** The target of a place of a stack. */
export function wireTarget(stack: TestStack, place: WirePlace): WireTarget {
  const { edge, otlp } = stack.local;
  return { ...(place === 'edge' ? edge : otlp), ca: stack.ca };
}

/** What is sent. */
export interface WireExport {
  readonly signal: SignalKind;
  /** OTLP protobuf, which is made JSON where that is the transport; text goes as it is. */
  readonly body: Uint8Array | string;
  readonly key?: string | undefined;
  /** What the body is made before it goes, and the name under which it goes. */
  readonly compress?: { readonly name: string; readonly of: (plain: Buffer) => Buffer } | undefined;
  readonly headers?: Readonly<Record<string, string>>;
  /** Instead of the signal's own path or method. */
  readonly path?: string;
}

/** What came back, in the words that the transports share. */
export interface WireOutcome {
  /** Of HTTP; of gRPC the `:status`. */
  readonly http: number;
  /** Of gRPC, or of the Status in an HTTP body; 0 for success. */
  readonly code: number;
  readonly status: RpcStatus | undefined;
  /** Of a success. `rejected` is 0 and the message empty where partial_success is unset. */
  readonly partial: { readonly set: boolean; readonly rejected: number; readonly message: string } | undefined;
  /** The body of HTTP, the message of gRPC, as it came. */
  readonly body: Buffer;
  readonly headers: Readonly<Record<string, string | undefined>>;
}

/** Sends exports in any transport, byte by byte, and reads answers in any encoding. */
export class ExportWire {
  readonly target: WireTarget;
  #grpc: GrpcWire | undefined;

  constructor(target: WireTarget) {
    this.target = target;
  }

  send(transport: WireTransport, export_: WireExport): Promise<WireOutcome> {
    return transport === 'gRPC' ? this.#call(export_) : this.#post(transport, export_);
  }

  close(): void {
    this.#grpc?.destroy();
  }

  async #call({ signal, body, key, compress, headers, path }: WireExport): Promise<WireOutcome> {
    if (this.#grpc === undefined || this.#grpc.session.closed || this.#grpc.session.destroyed) {
      this.#grpc = new GrpcWire(this.target.grpc, { ca: this.target.ca });
    }
    const plain = Buffer.from(body as Uint8Array);
    const sent = compress === undefined ? grpcFrame(plain) : grpcFrame(compress.of(plain), true);
    const answer = await this.#grpc.call(path ?? GRPC_METHODS[signal], sent, {
      ...(key === undefined ? {} : { authorization: `Bearer ${key}` }),
      ...(compress === undefined ? {} : { 'grpc-encoding': compress.name }),
      ...headers,
    });
    const code = answer.code ?? -1;
    return {
      http: answer.http ?? 0,
      code,
      status: answer.status,
      partial: code === 0 ? partialOf(signal, answer.body ?? Buffer.alloc(0), 'protobuf') : undefined,
      body: answer.body ?? Buffer.alloc(0),
      headers: answer.headers as Record<string, string | undefined>,
    };
  }

  async #post(transport: 'HTTP/protobuf' | 'HTTP/JSON', export_: WireExport): Promise<WireOutcome> {
    const { signal, body, key, compress, headers, path } = export_;
    const format = transport === 'HTTP/JSON' ? 'json' : 'protobuf';
    const text = format === 'json' && typeof body !== 'string' ? encodeJsonExport(signal, body) : body;
    const plain = Buffer.from(text as string);
    const sent = compress === undefined ? plain : compress.of(plain);
    const all: Record<string, string> = {
      'content-type': format === 'json' ? 'application/json' : 'application/x-protobuf',
      ...(key === undefined ? {} : { authorization: `Bearer ${key}` }),
      ...(compress === undefined ? {} : { 'content-encoding': compress.name }),
      'content-length': String(sent.length),
      ...headers,
    };
    const wire = await Http1Wire.open(this.target.http, { ca: this.target.ca });
    wire.write(http1Bytes({ path: path ?? `/v1/${signal}`, headers: Object.entries(all), body: sent }));
    const answer = await wire.answer();
    wire.destroy();
    if (answer === undefined) throw new Error('the connection ended without an answer');
    const status = answer.status === 200 ? undefined : decodeRpcStatus(answer.body, format);
    return {
      http: answer.status,
      code: status?.code ?? 0,
      status,
      partial: status === undefined ? partialOf(signal, answer.body, format) : undefined,
      body: answer.body,
      headers: Object.fromEntries([...answer.headers].map(([name, values]) => [name, values.join(', ')])),
    };
  }
}

function partialOf(signal: SignalKind, bytes: Buffer, format: 'protobuf' | 'json'): WireOutcome['partial'] {
  const schema: (typeof RESPONSE_SCHEMAS)[SignalKind] = RESPONSE_SCHEMAS[signal];
  const { partialSuccess } =
    format === 'json' ? fromJsonString(schema, bytes.toString('utf8')) : fromBinary(schema, bytes);
  if (partialSuccess === undefined) return { set: false, rejected: 0, message: '' };
  const { errorMessage, ...counts } = partialSuccess;
  const rejected = Object.entries(counts).find(([name]) => name.startsWith('rejected'))?.[1];
  return { set: true, rejected: Number(rejected), message: errorMessage };
}
