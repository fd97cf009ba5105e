import type { BodyFormat } from '@weir/otlp';
import type { Outcome, Refused, SignalKind } from '@weir/pipeline';
import type { Encoding, RawMeta } from '@weir/records';
import type { LimitShare, Tenant } from '@weir/tenancy';

export type Transport = 'http' | 'grpc';

/** How a body may come; deflate and snappy are inflated here, since the raw log's readers do not know them. */
export type BodyEncoding = Encoding | 'deflate' | 'snappy';

/**
 * Names of encodings, in `content-encoding` and in `grpc-encoding` alike, and what they are: those that the Collector
 * sends too. Under `snappy` come blocks and frames.
 */
export const BODY_ENCODINGS: ReadonlyMap<string, BodyEncoding> = new Map([
  ['identity', 'identity'],
  ['gzip', 'gzip'],
  ['zstd', 'zstd'],
  ['deflate', 'deflate'],
  ['zlib', 'deflate'],
  ['snappy', 'snappy'],
  ['x-snappy-framed', 'snappy'],
]);

/** The same for a message to a client. */
export const BODY_ENCODING_NAMES = 'identity, gzip, zstd, deflate or snappy';

/** An export as it came, from a tenant that is known by its key. */
export interface RawExport {
  readonly tenant: Tenant;
  readonly signal: SignalKind;
  readonly transport: Transport;
  readonly format: BodyFormat;
  readonly encoding: BodyEncoding;
  readonly body: Buffer;
  /** The body is in memory of its own, which admission gives back as soon as nothing needs it: then it has no bytes. */
  readonly ownsBody: boolean;
}

/** An export that may go on: read, within its limits, and with room taken for it. */
export interface AdmittedExport {
  readonly tenant: Tenant;
  readonly meta: Omit<RawMeta, 'edge' | 'seq'>;
  /** OTLP protobuf, compressed as the meta says; the plain bytes where they are too large for one record. */
  readonly value: Buffer;
  /** The same, decompressed: what is split when it is too large. */
  readonly plain: Buffer;
  /** Bytes of the queue that it holds: its body, as it came. */
  readonly heldBytes: number;
  readonly rejectedItems: number;
  /** How many were rejected for what, for the client. */
  readonly rejectedMessage?: string | undefined;
  /** For each item 0, or 1 and the index of the fault that is a limit of the tenant; left out where none is. */
  readonly limitFaults?: Uint8Array | undefined;
}

/** What became of an export, and how many items and bytes it had as far as it could be read. */
export type Answer = Outcome & {
  readonly items?: number;
  /** Of OTLP protobuf, decompressed. */
  readonly bytes?: number;
  /** Whether the books have it: what was handed to Kafka is booked record by record. */
  readonly booked?: boolean;
  /** Set where the export was refused without being read: what it had by the look of others, for the demand and never for the books. */
  readonly unread?: { readonly items: number; readonly bytes: number };
};

/** How full the pipe behind the edges is, by the reports of those who drain it. */
export interface PipeFill {
  /** Fullest fresh report; 0 without one. */
  readonly fill: number;
  /** Who reported it. */
  readonly reason: 'sink_full' | 'normalizer_full';
  /** Seconds until there may be room. */
  readonly retryAfterS: number;
}

/** What is shared out among tenants and edges, worked out anew every second. */
export interface Shares {
  /** What of the tenant's limits this edge may give. */
  ofLimits(tenant: Tenant): LimitShare;
  /** Takes from the tenant's share of a pipe that is full; where it is above it, seconds until it is not. */
  takeOfPipe(tenant: Tenant, bytes: number): number | undefined;
  /** Gives back what an export took that was refused after all. */
  giveBack(tenant: Tenant, bytes: number): void;
}

/** Who a request is from, or why it is not let in. */
export type Authenticated = { readonly kind: 'tenant'; readonly tenant: Tenant } | Refused;

/** The headers that may carry a key, as they came. */
export interface KeyHeaders {
  readonly authorization: readonly string[];
  readonly apiKey: readonly string[];
}
