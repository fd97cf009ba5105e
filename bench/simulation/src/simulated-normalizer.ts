import type { EdgeMarks } from '@weir/delivery';
import type { Normalized, RawEntry } from '@weir/normalize';
import type { RowsSection, TableName, Usage } from '@weir/records';
import { idNumber } from './simulated-blocks.ts';
import { bookRows } from './simulated-books.ts';

const ENTRIES_MAX = 3;
const TABLES: readonly TableName[] = ['otel_traces', 'otel_logs'];
/** Mixed rows, and two lanes. */
const LANES = 3;

/**
 * Stands where exports are transcoded: what an export holds is its ids, and its rows are the same ids, spread over two
 * tables and their lanes; the books have the ids of what was taken, and of what edges tell. Which records are taken is decided by the real
 * marks.
 */
export function normalizeIds(
  entries: readonly RawEntry[],
  from: number,
  marks: EdgeMarks,
): { readonly next: number; readonly done: Normalized } {
  const next = Math.min(entries.length, from + ENTRIES_MAX);
  const ids: string[] = [];
  const booked: Pick<Usage, 'tenant' | 'outcome'>[] = [];
  for (const entry of entries.slice(from, next)) {
    if (entry.kind === 'poison') continue;
    const { edge, seq } = entry.kind === 'note' ? entry.note : entry.meta;
    const found = marks.hasAllBefore(edge, seq);
    if (!marks.takes(edge, seq, entry.appendedMs)) continue;
    if (entry.kind === 'export') {
      ids.push(...entry.value.toString().split(','));
      booked.push({ tenant: entry.meta.tenant, outcome: 'accepted' });
      continue;
    }
    const { settled, doubtful } = entry.note;
    booked.push(...settled);
    booked.push(...doubtful.map((usage) => (found ? { ...usage, outcome: 'unanswered' as const } : usage)));
  }
  const frames: Buffer[] = [];
  const sections: RowsSection[] = [];
  let start = 0;
  const rowsOf = TABLES.flatMap((table, index) =>
    Array.from({ length: LANES }, (_, lane) => ({
      table,
      lane,
      ids: ids.filter((id) => idNumber(id) % (TABLES.length * LANES) === lane * TABLES.length + index),
    })),
  );
  for (const { table, lane, ids: own } of [
    ...rowsOf,
    { table: 'weir_usage' as const, lane: 0, ids: bookRows(booked) },
  ]) {
    if (own.length === 0) continue;
    const frame = Buffer.from(own.join(','));
    frames.push(frame);
    sections.push({ lane, table, rows: own.length, blockBytes: frame.length, start, end: start + frame.length });
    start += frame.length;
  }
  const range = { rawFirst: entries[from]!.offset, rawLast: entries[next - 1]!.offset };
  const value = Buffer.concat(frames);
  return { next, done: { ...range, oldestReceivedAtNs: 0n, sections, value, rows: ids.length, dead: [] } };
}
