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
    for (let at = 0; at < letters.length; at += CLAIMED_AT_ONCE) {
      const chunk = `promote/${this.#replay}/${id}/${at}`;
      const keys = letters.slice(at, at + CLAIMED_AT_ONCE).map(({ key }) => key);
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
