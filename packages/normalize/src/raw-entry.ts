import type { EdgeMarks, LogRecord } from '@weir/delivery';
import { decodeNote, decodeRawMeta, isNote } from '@weir/records';
import type { RawEntry } from './exports.ts';

const EMPTY = Buffer.alloc(0);

/** What a record of a raw partition says; one that cannot be read is poison. The value is the record's own. */
export function readRawEntry({ offset, timestampMs: appendedMs, meta: header, value }: LogRecord): RawEntry {
  const body = value ?? EMPTY;
  if (isNote(header)) {
    const decoded = decodeNote(header, value);
    if (decoded.ok) return { kind: 'note', offset, appendedMs, note: decoded.value };
    return { kind: 'poison', offset, reason: decoded.reason, message: decoded.message, value: body };
  }
  const decoded = decodeRawMeta(header);
  if (decoded.ok) return { kind: 'export', offset, appendedMs, meta: decoded.value, value: body };
  return { kind: 'poison', offset, reason: decoded.reason, message: decoded.message, value: body };
}

/** Carries marks on over records that are done. */
export function remember(marks: EdgeMarks, entries: readonly RawEntry[]): void {
  for (const entry of entries) {
    if (entry.kind === 'poison') continue;
    const { edge, seq } = entry.kind === 'note' ? entry.note : entry.meta;
    marks.takes(edge, seq, entry.appendedMs);
  }
}
