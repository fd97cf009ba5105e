import { SIGNALS, type SignalKind } from '@weir/pipeline';
import { corrupt, type Readable, unknownVersion } from './layout.ts';
import { TABLES, type TableName } from './tables.ts';

/** Why bytes are in the dead-letter topic. Closed list; also the metric label `reason`. */
export const DLQ_REASONS = [
  'unknown_version',
  'corrupt_record',
  'undecodable_body',
  'unknown_tenant',
  'invalid_trace_id',
  'invalid_span_id',
  'invalid_time',
  'invalid_metric',
  'mismatched_buckets',
  'too_many_attributes',
  'key_too_long',
  'value_too_long',
  'time_too_old',
  'time_in_future',
  'too_many_series',
  'rows_rejected',
] as const;

export type DlqReason = (typeof DLQ_REASONS)[number];

/**
 * What is said about dead-lettered bytes. The value holds the original bytes: those of the source record, an OTLP export of
 * the items that cannot be stored, or, where there is a `table`, rows of it.
 */
export interface DlqMeta {
  readonly tenant: string;
  readonly signal: SignalKind;
  readonly reason: DlqReason;
  /** English; bytes from the wire escaped. */
  readonly message: string;
  /** Items in the value. */
  readonly items: number;
  /** Set where the value is one zstd frame of one Native block of this table, that can be inserted as it is. */
  readonly table?: TableName;
  readonly sourceTopic: string;
  readonly sourcePartition: number;
  readonly sourceOffset: number;
  /** Distinguishes several letters out of one source record; 0-based. For rows, the place of the first among all of its rows. */
  readonly sourceIndex: number;
  /** Wall clock when it was first given up, ns since the epoch. */
  readonly firstSeenNs: bigint;
}

const VERSION = 1;

/** Encodes the `weir` header of a dead letter. */
export function encodeDlqMeta(meta: DlqMeta): Buffer {
  const body = JSON.stringify({ ...meta, firstSeenNs: meta.firstSeenNs.toString() });
  return Buffer.concat([Buffer.of(VERSION), Buffer.from(body, 'utf8')]);
}

/** Decodes the `weir` header of a dead letter. */
export function decodeDlqMeta(header: Buffer | null): Readable<DlqMeta> {
  if (header === null || header[0] !== VERSION) return unknownVersion('dlq', header?.[0]);
  try {
    const body = JSON.parse(header.toString('utf8', 1)) as DlqMeta & { firstSeenNs: string };
    if (!SIGNALS.includes(body.signal) || !DLQ_REASONS.includes(body.reason)) return corrupt('dlq', 'reason or signal');
    if (body.table !== undefined && !TABLES.includes(body.table)) return corrupt('dlq', 'table');
    return { ok: true, value: { ...body, firstSeenNs: BigInt(body.firstSeenNs) } };
  } catch {
    return corrupt('dlq', 'not JSON');
  }
}

/** Same source, same key: a copy written again by a retry is recognised by it. */
export function dlqKey(meta: DlqMeta): string {
  return `${meta.sourceTopic}/${meta.sourcePartition}/${meta.sourceOffset}/${meta.sourceIndex}`;
}
