import type { Log } from '@weir/delivery';
import { type RawEntry, readRawEntry } from '@weir/normalize';
import { LIMITS } from '../limits.ts';

/** What one read gave. */
export interface RawPage {
  readonly entries: readonly RawEntry[];
  /** Of all values. */
  readonly bytes: number;
  readonly nextOffset: number;
  /** One past the newest record of the partition. */
  readonly endOffset: number;
}

/** Reads a page of a raw partition and decodes what the edges say. */
export async function readRaw(
  log: Log,
  topic: string,
  partition: number,
  offset: number,
  options: { readonly maxBytes: number; readonly maxWaitMs: number },
  signal: AbortSignal,
): Promise<RawPage> {
  const page = await log.read(topic, partition, offset, options, signal);
  const entries = page.records.map(readRawEntry);
  const bytes = page.records.reduce((sum, { value }) => sum + (value?.length ?? 0), 0);
  return { entries, bytes, nextOffset: page.nextOffset, endOffset: page.endOffset };
}

/**
 * How long after a page was read the next one is: where little came, and nothing is behind it, more comes together
 * meanwhile. A rows record, its blocks and its part of an insert cost much beside the rows of a small export.
 */
export function pauseAfter({ entries, bytes, nextOffset, endOffset }: RawPage): number {
  const little = entries.length > 0 && bytes < LIMITS.gatherBytesMax && nextOffset >= endOffset;
  return little ? LIMITS.gatherMs : 0;
}
