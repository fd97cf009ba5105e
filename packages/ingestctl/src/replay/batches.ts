import type { RawEntry } from '@weir/normalize';

/** A run of raw entries that goes into the shadow together. Offsets are inclusive and leave no gap between batches. */
export interface RawBatch {
  readonly first: number;
  readonly last: number;
  readonly entries: readonly RawEntry[];
}

/** What closes a batch, besides the end of the window. */
export interface BatchBounds {
  readonly items: number;
  /** Decompressed. */
  readonly bodyBytes: number;
  /** As stored. */
  readonly valueBytes: number;
  readonly records: number;
}

/** Memory of a replay is a few times this; a part stays far below one block of ClickHouse. */
export const BATCH_BOUNDS: BatchBounds = {
  items: 100_000,
  bodyBytes: 32 * 1024 ** 2,
  valueBytes: 16 * 1024 ** 2,
  records: 20_000,
};

/**
 * Cuts a range of a partition into batches, by what its records say and never by how they were read: whoever begins at the
 * same offset cuts at the same ones.
 */
export async function* cutBatches(
  pages: AsyncIterable<readonly RawEntry[]>,
  range: { readonly first: number; readonly last: number },
  bounds: BatchBounds = BATCH_BOUNDS,
): AsyncGenerator<RawBatch> {
  let { first } = range;
  let entries: RawEntry[] = [];
  let [items, bodyBytes, valueBytes] = [0, 0, 0];
  for await (const page of pages) {
    for (const entry of page) {
      entries.push(entry);
      if (entry.kind === 'export') {
        items += entry.meta.items;
        bodyBytes += entry.meta.bytes;
      }
      if (entry.kind !== 'note') valueBytes += entry.value.length;
      const isFull = items >= bounds.items || bodyBytes >= bounds.bodyBytes || valueBytes >= bounds.valueBytes;
      if (!isFull && entries.length < bounds.records) continue;
      yield { first, last: entry.offset, entries };
      first = entry.offset + 1;
      entries = [];
      [items, bodyBytes, valueBytes] = [0, 0, 0];
    }
  }
  if (first <= range.last) yield { first, last: range.last, entries };
}
