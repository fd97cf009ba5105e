import { randomBytes } from 'node:crypto';
import type { ClickHouse } from '@weir/clickhouse';
import { type Clock, DependencyError, faultPoint, zstdFrame } from '@weir/pipeline';
import { type BookedLetters, UsageTally, usageBlock } from '@weir/records';
import type { RedriveJournal } from '../dlq/redrive-journal.ts';
import type { ComingBack, WhyLeft } from './sort-letters.ts';

/** What came back by a promotion, and what did not. */
export interface CameBack {
  /** Letters that the replay has claimed and whose items are in. */
  readonly own: readonly ComingBack[];
  /** Letters that it has claimed and weir.dlq has let go of, with their raw position where that is one. */
  readonly missing: ReadonlyMap<string, bigint | undefined>;
  /** Raw records that were left as they are. */
  readonly left: ReadonlyMap<bigint, WhyLeft>;
}

/** How claims ended. */
export interface EndedClaims {
  /** Letters whose claim is open still: their items did not come back. */
  readonly open: number;
  /** Letters that weir.dlq has let go of since they were claimed; their claims are ended. */
  readonly gone: number;
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
      const letters = together.map(({ key }) => key);
      const booked = bookedOf(together);
      await this.#journal.put({ kind: 'promote', chunk, replay: this.#replay, letters, booked }, signal);
      faultPoint('promote.after_claim');
    }
  }

  /**
   * Puts the books right for letters whose items are in, and lets the journal say so. A letter that weir.dlq has let go of holds no
   * claim: what it held was written down with the claim. Safe to do twice, and side by side.
   */
  async end({ own, missing, left }: CameBack, signal: AbortSignal): Promise<EndedClaims> {
    const byKey = new Map(own.map((letter) => [letter.key, letter]));
    const isIn = (key: string) => {
      const position = missing.get(key);
      return position === undefined ? left.size === 0 : !left.has(position);
    };
    const ended = { open: 0, gone: 0, unknown: 0 };
    for (const { chunk, replay, letters: keys, booked } of this.#journal.book.openPromotions()) {
      if (replay !== this.#replay) continue;
      const letters = keys.map((key) => byKey.get(key)).filter((letter) => letter !== undefined);
      const absent = keys.filter((key) => !byKey.has(key));
      if (absent.some((key) => !missing.has(key))) {
        ended.open += keys.length;
        continue;
      }
      ended.gone += absent.length;
      const areIn = absent.length === 0 || (booked !== undefined && absent.every(isIn));
      const isRight = await this.#book(chunk, areIn ? (booked ?? bookedOf(letters)) : bookedOf(letters), signal);
      if (!isRight) ended.unknown += keys.length;
      else if (!areIn) ended.unknown += absent.length;
    }
    return ended;
  }

  /** Whether the books are known to be right. */
  async #book(chunk: string, letters: readonly BookedLetters[], signal: AbortSignal): Promise<boolean> {
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

/** What the books have of letters: of the day of their receipt. */
function bookedOf(letters: readonly ComingBack[]): readonly BookedLetters[] {
  const sums = new Map<string, BookedLetters & { items: number }>();
  for (const { tenant, signal, reason, bookedDay: day, items } of letters) {
    const key = `${signal} ${reason} ${day} ${tenant}`;
    const sum = sums.get(key) ?? { tenant, signal, reason, day, items: 0 };
    sums.set(key, sum);
    sum.items += items;
  }
  return [...sums.values()];
}

function usageOf(letters: readonly BookedLetters[]): Buffer {
  const tally = new UsageTally();
  for (const { tenant, signal, reason, day, items } of letters) {
    const whose = { tenant, signal, minute: day * MINUTES_PER_DAY, bytes: 0 };
    tally.add({ ...whose, outcome: 'stored', reason: '', items });
    tally.add({ ...whose, outcome: 'dead_lettered', reason, items: -items });
  }
  return zstdFrame(usageBlock(tally.entries()));
}
