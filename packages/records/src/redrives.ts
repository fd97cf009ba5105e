import type { SignalKind } from '@weir/pipeline';
import type { DlqReason } from './dlq.ts';
import { corrupt, type Readable, unknownVersion } from './layout.ts';
import { isTrack, type Track } from './topics.ts';

/**
 * What the journal weir.redrives says of dead letters, in the order of its offsets. Letters are named by their keys. A
 * chunk is some letters that go into one raw partition by one append, under an edge id of its redrive.
 */
export type RedriveEntry =
  | {
      /** These letters are about to be appended. It comes before the append. */
      readonly kind: 'intent';
      readonly chunk: string;
      readonly track: Track;
      readonly partition: number;
      /** 16 hex digits, random for each redrive. */
      readonly edge: string;
      /** The append has the seqs from this one on, `letters` and a note. */
      readonly firstSeq: number;
      /** End of the raw partition before the append. */
      readonly rawFrom: number;
      readonly letters: readonly string[];
    }
  | {
      /** Rows that ClickHouse refused are about to be inserted, under tokens that follow from the keys. */
      readonly kind: 'insert';
      readonly chunk: string;
      /** Wall clock, ms since the epoch. */
      readonly atMs: number;
      readonly letters: readonly string[];
    }
  | {
      /**
       * What these letters hold is about to be inserted from the shadow of a replay, and is not to be sent by anybody after that.
       * Letters that were purged may be among them.
       */
      readonly kind: 'promote';
      readonly chunk: string;
      readonly replay: string;
      readonly letters: readonly string[];
      /** What the books have of the letters, all together: it is known so even where weir.dlq lets go of one. Older entries lack it. */
      readonly booked?: readonly BookedLetters[];
    }
  | {
      /** A run of a promotion is about to change rows of its scope. It has the turn unless one of another replay has it there. */
      readonly kind: 'turn';
      readonly replay: string;
      /** Random for each run. */
      readonly run: string;
      readonly scope: TurnScope;
    }
  /** These runs of a promotion have come to their end, or will never change anything. */
  | { readonly kind: 'turn_over'; readonly replay: string; readonly runs: readonly string[] }
  /** What the letters of a promotion hold is in; the books are about to be put right. Wall clock, ms since the epoch. */
  | { readonly kind: 'booking'; readonly chunk: string; readonly atMs: number }
  /** The append was acknowledged, or the rows are in; of a promotion: and the books are right. */
  | { readonly kind: 'done'; readonly chunk: string }
  /** Somebody else is about to find out what became of the chunk: its redrive may not say it any more. */
  | { readonly kind: 'settling'; readonly chunk: string }
  /** What became of it; not found: it never counts, and its letters are free. */
  | { readonly kind: 'settled'; readonly chunk: string; readonly found: boolean }
  /** These letters are done with. */
  | { readonly kind: 'purged'; readonly letters: readonly string[] };

/** Items that the books have as dead letters of one day of receipt. */
export interface BookedLetters {
  readonly tenant: string;
  readonly signal: SignalKind;
  readonly reason: DlqReason;
  /** Days since the epoch. */
  readonly day: number;
  readonly items: number;
}

/** Which rows a promotion may change: those of raw records, of tenants (none named: of all), in tables. Offsets are inclusive. */
export interface TurnScope {
  readonly track: Track;
  readonly tables: readonly string[];
  readonly tenants: readonly string[];
  readonly ranges: readonly { readonly partition: number; readonly first: number; readonly last: number }[];
}

const VERSION = 1;

/** Encodes the value of a record of weir.redrives. */
export function encodeRedriveEntry(entry: RedriveEntry): Buffer {
  return Buffer.concat([Buffer.of(VERSION), Buffer.from(JSON.stringify(entry), 'utf8')]);
}

/** Decodes the value of a record of weir.redrives. */
export function decodeRedriveEntry(value: Buffer | null): Readable<RedriveEntry> {
  if (value === null || value[0] !== VERSION) return unknownVersion('redrives', value?.[0]);
  try {
    const entry = JSON.parse(value.toString('utf8', 1)) as RedriveEntry;
    return isEntry(entry) ? { ok: true, value: entry } : corrupt('redrives', 'not an entry');
  } catch {
    return corrupt('redrives', 'not JSON');
  }
}

function isEntry(entry: RedriveEntry): boolean {
  if (entry.kind === 'purged') return areTexts(entry.letters);
  if (entry.kind === 'turn' || entry.kind === 'turn_over') return isTurn(entry);
  if (typeof entry.chunk !== 'string') return false;
  if (entry.kind === 'insert') return Number.isSafeInteger(entry.atMs) && areTexts(entry.letters);
  if (entry.kind === 'promote') {
    return typeof entry.replay === 'string' && areTexts(entry.letters) && (entry.booked ?? []).every(isBooked);
  }
  if (entry.kind === 'booking') return Number.isSafeInteger(entry.atMs);
  if (entry.kind === 'settled') return typeof entry.found === 'boolean';
  if (entry.kind !== 'intent') return entry.kind === 'done' || entry.kind === 'settling';
  const { partition, firstSeq, rawFrom } = entry;
  const whole = [partition, firstSeq, rawFrom].every(isCount);
  return whole && isTrack(entry.track) && /^[0-9a-f]{16}$/.test(entry.edge) && areTexts(entry.letters);
}

function isTurn(entry: Extract<RedriveEntry, { kind: 'turn' | 'turn_over' }>): boolean {
  if (typeof entry.replay !== 'string') return false;
  if (entry.kind === 'turn_over') return areTexts(entry.runs);
  const { track, tables, tenants, ranges } = entry.scope;
  const areWhole = ranges.every(({ partition, first, last }) => [partition, first, last].every(isCount));
  return typeof entry.run === 'string' && isTrack(track) && areTexts(tables) && areTexts(tenants) && areWhole;
}

function isBooked({ tenant, signal, reason, day, items }: BookedLetters): boolean {
  return [tenant, signal, reason].every((text) => typeof text === 'string') && isCount(day) && isCount(items);
}

function isCount(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function areTexts(value: unknown): boolean {
  return Array.isArray(value) && value.every((text) => typeof text === 'string');
}
