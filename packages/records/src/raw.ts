import { SIGNALS, type SignalKind } from '@weir/pipeline';
import { corrupt, type Readable, unknownVersion } from './layout.ts';
import { type RejectedItems, RejectedWalk } from './rejected-items.ts';

/** How the value of a raw record is compressed. The index is the wire value. */
export const ENCODINGS = ['identity', 'gzip', 'zstd'] as const;

export type Encoding = (typeof ENCODINGS)[number];

/** What the edge says about one export; the record's value is the OTLP protobuf ExportRequest itself. */
export interface RawMeta {
  readonly tenant: string;
  readonly signal: SignalKind;
  readonly encoding: Encoding;
  /** An export with an error status, a slow span or a log at ERROR or above. */
  readonly priority: boolean;
  /** Spans, log records or data points. */
  readonly items: number;
  /** Bytes of the decompressed ExportRequest. */
  readonly bytes: number;
  /** Wall clock of the edge when the export arrived, ns since the epoch. */
  readonly receivedAtNs: bigint;
  /** Random id of the edge process, 16 hex digits. */
  readonly edge: string;
  /** Grows by one for each record of this edge in this partition. */
  readonly seq: number;
  /** Items that the edge has rejected for a limit of the tenant, whose word is final: limits change. Left out: none. */
  readonly rejected?: RejectedItems | undefined;
}

const VERSION = 1;
/** With rejected items behind the tenant. What has none keeps the version that every reader knows. */
const VERSION_REJECTED = 2;
const FIXED = 1 + 1 + 1 + 1 + 4 + 4 + 8 + 8 + 8 + 1;

/** Encodes the `weir` header of a raw record. */
export function encodeRawMeta(meta: RawMeta): Buffer {
  const tenant = Buffer.from(meta.tenant, 'utf8');
  const rejected = meta.rejected ?? NONE;
  const out = Buffer.allocUnsafe(FIXED + tenant.length + rejected.length);
  out[0] = rejected.length > 0 ? VERSION_REJECTED : VERSION;
  out[1] = SIGNALS.indexOf(meta.signal);
  out[2] = ENCODINGS.indexOf(meta.encoding);
  out[3] = meta.priority ? 1 : 0;
  out.writeUInt32BE(meta.items, 4);
  out.writeUInt32BE(meta.bytes, 8);
  out.writeBigUInt64BE(meta.receivedAtNs, 12);
  out.write(meta.edge, 20, 8, 'hex');
  out.writeBigUInt64BE(BigInt(meta.seq), 28);
  out[36] = tenant.length;
  tenant.copy(out, FIXED);
  rejected.copy(out, FIXED + tenant.length);
  return out;
}

const NONE = Buffer.alloc(0);
const walk = new RejectedWalk();

/** Decodes the `weir` header of a raw record. */
export function decodeRawMeta(header: Buffer | null): Readable<RawMeta> {
  const version = header?.[0];
  if (header === null || (version !== VERSION && version !== VERSION_REJECTED)) return unknownVersion('raw', version);
  const tenantEnd = FIXED + (header[36] ?? 0);
  const fits = version === VERSION ? header.length === tenantEnd : header.length > tenantEnd;
  if (header.length < FIXED || !fits) return corrupt('raw', 'length does not fit');
  const signal = SIGNALS[header[1]!];
  const encoding = ENCODINGS[header[2]!];
  if (signal === undefined || encoding === undefined) return corrupt('raw', 'signal or encoding is not known');
  const items = header.readUInt32BE(4);
  const rejected = version === VERSION ? undefined : header.subarray(tenantEnd);
  if (rejected !== undefined && !walk.fits(rejected, items)) return corrupt('raw', 'rejected items do not fit');
  return {
    ok: true,
    value: {
      tenant: header.toString('utf8', FIXED, tenantEnd),
      signal,
      encoding,
      priority: header[3] === 1,
      items,
      bytes: header.readUInt32BE(8),
      receivedAtNs: header.readBigUInt64BE(12),
      edge: header.toString('hex', 20, 28),
      seq: Number(header.readBigUInt64BE(28)),
      ...(rejected === undefined ? {} : { rejected }),
    },
  };
}
