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
    }
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
  if (typeof entry.chunk !== 'string') return false;
  if (entry.kind === 'insert') return Number.isSafeInteger(entry.atMs) && areTexts(entry.letters);
  if (entry.kind === 'promote') return typeof entry.replay === 'string' && areTexts(entry.letters);
  if (entry.kind === 'booking') return Number.isSafeInteger(entry.atMs);
  if (entry.kind === 'settled') return typeof entry.found === 'boolean';
  if (entry.kind !== 'intent') return entry.kind === 'done' || entry.kind === 'settling';
  const { partition, firstSeq, rawFrom } = entry;
  const whole = [partition, firstSeq, rawFrom].every((value) => Number.isSafeInteger(value) && value >= 0);
  return whole && isTrack(entry.track) && /^[0-9a-f]{16}$/.test(entry.edge) && areTexts(entry.letters);
}

function areTexts(value: unknown): boolean {
  return Array.isArray(value) && value.every((text) => typeof text === 'string');
}
