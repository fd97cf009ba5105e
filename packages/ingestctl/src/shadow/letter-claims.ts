import { randomBytes } from 'node:crypto';
import { zstdCompressSync } from 'node:zlib';
import type { ClickHouse } from '@weir/clickhouse';
import { type Clock, DependencyError, faultPoint } from '@weir/pipeline';
import { UsageTally, usageBlock } from '@weir/records';
import type { RedriveJournal } from '../dlq/redrive-journal.ts';
import type { ComingBack } from './sort-letters.ts';

/** How claims ended. */
export interface EndedClaims {
  /** Letters whose claim is open still: their items did not come back, or weir.dlq has let go of one. */
  readonly open: number;
  /** Letters of which it cannot be told whether the books are right. */
  readonly unknown: number;
}

const CLAIMED_AT_ONCE = 500;
/** Of letters that hang together: an entry of the journal is a Kafka record. */
const TOGETHER_MAX = 5_000;
const ID_BYTES = 6;
const MINUTES_PER_DAY = 1_440;
const RETRY_MS = 500;
/** A table remembers the tokens of 100,000 inserts: 1 h 44 min of 16 a second. */
const TOKEN_MS = 3_600_000;

/**
 * Takes the letters that come back by a promotion, so that nobody redrives them: the journal says so before anything is
 * inserted, and again once it is and the books are right. What is cut off between is ended by the next promotion of the replay.
 */
export class LetterClaims {
  readonly #clickhouse: Pick<ClickHouse, 'insertBlocks'>;
  readonly #clock: Clock;
  readonly #journal: RedriveJournal;
  readonly #replay: string;

  constructor(clickhouse: Pick<ClickHouse, 'insertBlocks'>, clock: Clock, journal: RedriveJournal, replay: string) {
    this.#clickhouse = clickhouse;
    this.#clock = clock;
    this.#journal = journal;
    this.#replay = replay;
  }

  /** Where somebody else has taken some of them meanwhile not all become this replay's: the journal says which. */
  async claim(letters: readonly ComingBack[], signal: AbortSignal): Promise<void> {
    const id = randomBytes(ID_BYTES).toString('hex');
    for (const [at, together] of claimsOf(letters).entries()) {
      const chunk = `promote/${this.#replay}/${id}/${at}`;
      const keys = together.map(({ key }) => key);
      await this.#journal.put({ kind: 'promote', chunk, replay: this.#replay, letters: keys }, signal);
      faultPoint('promote.after_claim');
    }
  }

  /**
   * Puts the books right for letters whose items are in, and lets the journal say so. Safe to do twice, and side by side.
   * @param own the letters that this replay has claimed and whose items are in
   */
  async end(own: readonly ComingBack[], signal: AbortSignal): Promise<EndedClaims> {
    const byKey = new Map(own.map((letter) => [letter.key, letter]));
    let [open, unknown] = [0, 0];
    for (const { chunk, replay, letters: keys } of this.#journal.book.openPromotions()) {
      if (replay !== this.#replay) continue;
      const letters = keys.map((key) => byKey.get(key)).filter((letter) => letter !== undefined);
      if (letters.length < keys.length) open += keys.length;
      else if (!(await this.#book(chunk, letters, signal))) unknown += keys.length;
    }
    return { open, unknown };
  }

  /** Whether the books are known to be right. */
  async #book(chunk: string, letters: readonly ComingBack[], signal: AbortSignal): Promise<boolean> {
    const nowMs = Number(this.#clock.wallNs() / 1_000_000n);
    if (this.#journal.book.bookedAtMs(chunk) === undefined) {
      await this.#journal.put({ kind: 'booking', chunk, atMs: nowMs }, signal);
    }
    faultPoint('promote.after_booking');
    const isKnown = nowMs - this.#journal.book.bookedAtMs(chunk)! < TOKEN_MS;
    if (isKnown) await this.#insert(usageOf(letters), `${chunk}:books`, signal);
    faultPoint('promote.after_books');
    await this.#journal.put({ kind: 'done', chunk }, signal);
    return isKnown;
  }

  async #insert(frame: Buffer, token: string, signal: AbortSignal): Promise<void> {
    for (;;) {
      try {
        return await this.#clickhouse.insertBlocks({ table: 'weir_usage', frames: [frame], token }, signal);
      } catch (error) {
        signal.throwIfAborted();
        if (!(error instanceof DependencyError) || !error.retryable) throw error;
      }
      await this.#clock.sleep(RETRY_MS, signal);
    }
  }
}

/**
 * Letters that are claimed together, those with a raw record in common in one claim: where another one has taken one of them the
 * record is left, and none of its letters is to be held.
 */
export function claimsOf(letters: readonly ComingBack[], most = CLAIMED_AT_ONCE): readonly (readonly ComingBack[])[] {
  const claims: ComingBack[][] = [[]];
  for (const together of byRecords(letters)) {
    for (let at = 0; at < together.length; at += TOGETHER_MAX) {
      const part = together.slice(at, at + TOGETHER_MAX);
      const open = claims.at(-1)!;
      if (open.length + part.length <= most) open.push(...part);
      else claims.push(part);
    }
  }
  return claims.filter((claim) => claim.length > 0);
}

/** Letters that have a raw record in common, directly or by others, each group in their order. */
function byRecords(letters: readonly ComingBack[]): Iterable<readonly ComingBack[]> {
  const parents = letters.map((_, at) => at);
  const rootOf = (at: number): number => {
    let root = at;
    while (parents[root] !== root) {
      parents[root] = parents[parents[root]!]!;
      root = parents[root]!;
    }
    return root;
  };
  const firstAt = new Map<bigint, number>();
  for (const [at, { places }] of letters.entries()) {
    for (const position of places.keys()) {
      const first = firstAt.get(position);
      if (first === undefined) firstAt.set(position, at);
      else parents[rootOf(at)] = rootOf(first);
    }
  }
  return Map.groupBy(letters.keys(), rootOf)
    .values()
    .map((group) => group.map((at) => letters[at]!));
}

/** They were booked as dead letters of the day of their receipt. */
function usageOf(letters: readonly ComingBack[]): Buffer {
  const tally = new UsageTally();
  for (const { tenant, signal, reason, items, bookedDay } of letters) {
    const whose = { tenant, signal, minute: bookedDay * MINUTES_PER_DAY, bytes: 0 };
    tally.add({ ...whose, outcome: 'stored', reason: '', items });
    tally.add({ ...whose, outcome: 'dead_lettered', reason, items: -items });
  }
  return zstdCompressSync(usageBlock(tally.entries()));
}
