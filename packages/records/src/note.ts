import { REFUSALS, SIGNALS } from '@weir/pipeline';
import { DLQ_REASONS } from './dlq.ts';
import { corrupt, type Readable, unknownVersion } from './layout.ts';
import { USAGE_OUTCOMES, type Usage, type UsageOutcome } from './usage.ts';

/**
 * What an edge says in a raw partition about items that are in none of its records: those that it refused, and those of
 * which it does not know whether they are there. It has a seq of its own, so it is taken once, like a record.
 */
export interface Note {
  /** Random id of the edge process, 16 hex digits. */
  readonly edge: string;
  readonly seq: number;
  /** Usage that is certain; negative where something that was booked is taken back. */
  readonly settled: readonly Usage[];
  /**
   * Usage of the records with the seqs right before this one, whose append stayed without an answer; empty where there
   * was none. They are one append, so all of them stand before the note in the partition, or none is ever taken: one that
   * comes later is below the mark that the note leaves.
   */
  readonly doubtful: readonly Usage[];
}

const VERSION = 1;
/** Stands where raw records have their signal. */
const NOTE = 255;
const HEADER = 1 + 1 + 8 + 8;

const REASONS: ReadonlySet<string> = new Set([...Object.keys(REFUSALS), ...DLQ_REASONS]);
/** Of these there may be less than none: who sends dead letters in again takes back what was booked of them. */
const TAKEN_BACK: ReadonlySet<UsageOutcome> = new Set(['accepted', 'dead_lettered'] as const);

type Row = [
  tenant: string,
  signal: number,
  minute: number,
  outcome: number,
  reason: string,
  items: number,
  bytes: number,
];

/** Encodes the `weir` header and the value of a note. */
export function encodeNote(note: Note): { readonly meta: Buffer; readonly value: Buffer } {
  const meta = Buffer.allocUnsafe(HEADER);
  meta[0] = VERSION;
  meta[1] = NOTE;
  meta.write(note.edge, 2, 8, 'hex');
  meta.writeBigUInt64BE(BigInt(note.seq), 10);
  const rows = [note.settled, note.doubtful].map((usage) => usage.map(toRow));
  return { meta, value: Buffer.from(JSON.stringify(rows), 'utf8') };
}

/** Whether a record of a raw partition is a note, by its `weir` header. */
export function isNote(header: Buffer | null): boolean {
  return header !== null && header[0] === VERSION && header[1] === NOTE;
}

/** Decodes a note. */
export function decodeNote(header: Buffer | null, value: Buffer | null): Readable<Note> {
  if (header === null || header[0] !== VERSION) return unknownVersion('note', header?.[0]);
  if (header.length !== HEADER || header[1] !== NOTE || value === null) return corrupt('note', 'length does not fit');
  let settled: Usage[] | undefined;
  let doubtful: Usage[] | undefined;
  try {
    [settled, doubtful] = (JSON.parse(value.toString('utf8')) as Row[][]).map((rows) => rows.map(toUsage));
  } catch {
    return corrupt('note', 'not the rows of a note');
  }
  if (settled === undefined || doubtful === undefined) return corrupt('note', 'a part is missing');
  const seq = Number(header.readBigUInt64BE(10));
  return { ok: true, value: { edge: header.toString('hex', 2, 10), seq, settled, doubtful } };
}

function toRow({ tenant, signal, minute, outcome, reason, items, bytes }: Usage): Row {
  return [tenant, SIGNALS.indexOf(signal), minute, USAGE_OUTCOMES.indexOf(outcome), reason, items, bytes];
}

function toUsage([tenant, signalAt, minute, outcomeAt, reason, items, bytes]: Row): Usage {
  const signal = SIGNALS[signalAt];
  const outcome = USAGE_OUTCOMES[outcomeAt];
  if (typeof tenant !== 'string' || signal === undefined || outcome === undefined) throw new TypeError('not usage');
  const least = TAKEN_BACK.has(outcome) ? Number.MIN_SAFE_INTEGER : 0;
  const whole = minute >= 0 && [minute, items, bytes].every((value) => Number.isSafeInteger(value));
  if (!whole || items < least || bytes < least) throw new TypeError('not usage');
  if (reason !== '' && !REASONS.has(reason)) throw new TypeError('not a reason');
  return { tenant, signal, minute, outcome, reason: reason as Usage['reason'], items, bytes };
}
