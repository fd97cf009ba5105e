import type { EdgeMarks } from '@weir/delivery';
import type { Normalized } from '@weir/normalizer';
import type { RawMeta, RowsSection, TableName } from '@weir/records';

interface Entry {
  readonly kind: string;
  readonly offset: number;
  readonly appendedMs?: number;
  readonly meta?: RawMeta;
  readonly value: Buffer;
}

const ENTRIES_MAX = 3;
const TABLES: readonly TableName[] = ['otel_traces', 'otel_logs'];

/**
 * Stands where exports are transcoded: what an export holds is its ids, and its rows are the same ids, spread over two
 * tables. Which records are taken is decided by the real marks.
 */
export function normalizeIds(
  entries: readonly Entry[],
  from: number,
  marks: EdgeMarks,
): { readonly next: number; readonly done: Normalized } {
  const next = Math.min(entries.length, from + ENTRIES_MAX);
  const ids: string[] = [];
  for (const { meta, appendedMs, value } of entries.slice(from, next)) {
    if (meta !== undefined && marks.takes(meta.edge, meta.seq, appendedMs ?? 0))
      ids.push(...value.toString().split(','));
  }
  const frames: Buffer[] = [];
  const sections: RowsSection[] = [];
  let start = 0;
  for (const [index, table] of TABLES.entries()) {
    const own = ids.filter((id) => idNumber(id) % TABLES.length === index);
    if (own.length === 0) continue;
    const frame = Buffer.from(own.join(','));
    frames.push(frame);
    sections.push({ lane: 0, table, rows: own.length, blockBytes: frame.length, start, end: start + frame.length });
    start += frame.length;
  }
  const range = { rawFirst: entries[from]!.offset, rawLast: entries[next - 1]!.offset };
  const value = Buffer.concat(frames);
  return { next, done: { ...range, oldestReceivedAtNs: 0n, sections, value, rows: ids.length, dead: [] } };
}

/** Ids are numbers, and a mark behind those that ClickHouse refuses. */
export function idNumber(id: string): number {
  return Number.parseInt(id, 10);
}
