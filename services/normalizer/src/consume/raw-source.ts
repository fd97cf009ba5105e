import type { Log } from '@weir/delivery';
import { decodeRawMeta } from '@weir/records';
import type { RawEntry } from '../exports.ts';

const EMPTY = Buffer.alloc(0);

/** What one read gave. */
export interface RawPage {
  readonly entries: readonly RawEntry[];
  readonly nextOffset: number;
  /** One past the newest record of the partition. */
  readonly endOffset: number;
}

/** Reads a page of a raw partition and decodes what the edges say about each export. */
export async function readRaw(
  log: Log,
  topic: string,
  partition: number,
  offset: number,
  options: { readonly maxBytes: number; readonly maxWaitMs: number },
  signal: AbortSignal,
): Promise<RawPage> {
  const page = await log.read(topic, partition, offset, options, signal);
  const entries = page.records.map(({ offset: at, timestampMs, meta: header, value }): RawEntry => {
    const decoded = decodeRawMeta(header);
    const body = value ?? EMPTY;
    if (decoded.ok) return { kind: 'export', offset: at, appendedMs: timestampMs, meta: decoded.value, value: body };
    return { kind: 'poison', offset: at, reason: decoded.reason, message: decoded.message, value: body };
  });
  return { entries, nextOffset: page.nextOffset, endOffset: page.endOffset };
}
