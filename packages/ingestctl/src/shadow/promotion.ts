import { randomBytes } from 'node:crypto';
import { type ClickHouse, catchUp, quoteText, tableName } from '@weir/clickhouse';
import { faultPoint, systemClock } from '@weir/pipeline';
import type { TableName } from '@weir/records';
import type { Context } from '../context.ts';
import { type DlqParts, openDlq } from '../dlq/dlq-parts.ts';
import type { RedriveJournal } from '../dlq/redrive-journal.ts';
import type { ReplayState } from '../replay/journal.ts';
import { shadowTable } from '../replay/plan.ts';
import { ReplayDead } from '../replay/replay-dead.ts';
import { ownTables, PLACES } from '../replay/shadow-tables.ts';
import { type Compared, countDifference, signalsOf, targetOf } from './compare.ts';
import { type Chunk, Difference, type PlaceKind, piecesOf } from './difference.ts';
import { type EndedClaims, LetterClaims } from './letter-claims.ts';
import { type ShadowRecord, type SortedLetters, sortLetters } from './sort-letters.ts';
import { isInWindow, readWindowLetters } from './window-letters.ts';

/** What a promotion would do at this moment. */
export interface Survey {
  /** Under it stand the raw records that are left as they are. */
  readonly run: string;
  /** All that differs. */
  readonly all: Compared;
  /** All but what is left out. */
  readonly wanted: Compared;
  readonly letters: SortedLetters;
  /** Claimed letters that weir.dlq has let go of, with their raw position where that is one. */
  readonly missing: ReadonlyMap<string, bigint | undefined>;
}

const RUN_BYTES = 6;
const PLACES_AT_ONCE = 5_000;
const CLAIMS_MAX = 5;
const NONE: SortedLetters = { free: [], own: [], left: new Map() };

/** The steps of a promotion. Each may be cut off, repeated, and done beside another one. */
export class Promotion {
  readonly #context: Context;
  readonly #clickhouse: ClickHouse;
  readonly #state: ReplayState;
  readonly #dlq: DlqParts;
  readonly #claims: LetterClaims;

  private constructor(context: Context, clickhouse: ClickHouse, state: ReplayState, dlq: DlqParts) {
    this.#context = context;
    this.#clickhouse = clickhouse;
    this.#state = state;
    this.#dlq = dlq;
    this.#claims = new LetterClaims(dlq.waits.inserts(clickhouse), systemClock, dlq.journal, state.plan.id);
  }

  static async open(
    context: Context,
    clickhouse: ClickHouse,
    state: ReplayState,
    signal: AbortSignal,
  ): Promise<Promotion> {
    for (const sql of ownTables(targetOf(context), state.plan.id)) await clickhouse.command(sql, signal);
    return new Promotion(context, clickhouse, state, await openDlq(context, signal));
  }

  /** Where letters are claimed, and turns are taken. */
  get redrives(): RedriveJournal {
    return this.#dlq.journal;
  }

  /** Whether an earlier promotion of the replay was cut off, and holds dead letters. */
  get isOpen(): boolean {
    return this.#dlq.journal.book.openPromotions().some(({ replay }) => replay === this.#state.plan.id);
  }

  async survey(signal: AbortSignal): Promise<Survey> {
    const { plan, batches } = this.#state;
    const { log, journal } = this.#dlq;
    await journal.refresh(signal);
    const found = await readWindowLetters(log, journal.book, plan, signal);
    const deadItems = batches.flatMap(({ tally }) => Object.values(tally.dead)).reduce((sum, items) => sum + items, 0);
    const dead = await new ReplayDead(this.#clickhouse, targetOf(this.#context), plan.id).read(deadItems, signal);
    const all = await countDifference(this.#context, this.#clickhouse, this.#state, signal);
    const run = randomBytes(RUN_BYTES).toString('hex');
    const places = new Set([
      ...found.letters.flatMap((letter) => [...letter.places.keys()]),
      ...found.unread,
      ...found.gone,
    ]);
    const { missing } = found;
    if (places.size + dead.size === 0) return { run, all, wanted: all, letters: NONE, missing };
    await this.#writePlaces(run, 'letters', places, signal);
    const shadow = await this.#shadowOf(run, signal);
    const stuck = await this.#stuckOf(run, all, signal);
    const isIn = (position: bigint) => isInWindow(plan, position);
    const letters = sortLetters({ ...found, replay: plan.id, dead, shadow, stuck, isInWindow: isIn });
    if (letters.left.size === 0) return { run, all, wanted: all, letters, missing };
    await this.#writePlaces(run, 'left', letters.left.keys(), signal);
    const wanted = await countDifference(this.#context, this.#clickhouse, this.#state, signal, run);
    return { run, all, wanted, letters, missing };
  }

  /**
   * Takes the letters that come back. Where others were faster everything is looked at anew.
   * @returns what is to be done then
   * @throws Error where that does not come to an end
   */
  async claim(surveyed: Survey, signal: AbortSignal): Promise<Survey> {
    let survey = surveyed;
    for (let tries = 0; survey.letters.free.length > 0; tries++) {
      if (tries === CLAIMS_MAX) {
        throw new Error('others go on taking dead letters of this window: wait for them, and run it again');
      }
      await this.#claims.claim(survey.letters.free, signal);
      survey = await this.survey(signal);
    }
    return survey;
  }

  /** Replaces and inserts. */
  async carryOut({ run, wanted }: Survey, signal: AbortSignal): Promise<void> {
    const { plan, rounds } = this.#state;
    const target = targetOf(this.#context);
    const tablesWith = (of: (one: Compared['counted'][number]) => number) =>
      new Set(wanted.counted.filter((one) => of(one) > 0).map(({ table }) => table));
    const replaced = tablesWith(({ replaceable }) => replaceable);
    const filled = tablesWith(({ fillable }) => fillable);
    for (const [kind, chunks] of wanted.chunks) {
      const difference = new Difference(target, plan, kind, run);
      const shadows = difference.tables.map((table) => shadowTable(plan.id, table));
      for (const chunk of await this.#pieces(difference, chunks, signal)) {
        signal.throwIfAborted();
        const stale = difference.tables.filter((table) => replaced.has(table));
        for (const table of stale) await this.#clickhouse.command(difference.markStale(table, chunk), signal);
        faultPoint('promote.after_mark');
        for (const table of stale) await this.#delete(difference, table, chunk, signal);
        await catchUp(this.#clickhouse, target, [...difference.tables, ...shadows], signal);
        for (const table of difference.tables.filter((each) => filled.has(each))) {
          // A round that came to its end leaves tokens that a later one must not meet.
          const token = `${plan.id}:promote-${rounds}:${table}:${chunk.partition}:${chunk.first}-${chunk.last}`;
          await this.#clickhouse.command(difference.fill(table, chunk, token), signal);
          faultPoint('promote.after_fill');
        }
      }
    }
  }

  /** Puts the books right for the letters that came back, and says that they did. */
  end({ letters: { own, left }, missing }: Survey, signal: AbortSignal): Promise<EndedClaims> {
    return this.#claims.end({ own, left, missing }, signal);
  }

  async #delete(difference: Difference, table: TableName, chunk: Chunk, signal: AbortSignal): Promise<void> {
    if ((await this.#clickhouse.query(difference.hasStale(table, chunk), {}, signal)).length === 0) return;
    await this.#clickhouse.command(difference.deleteStale(table, chunk), signal);
    faultPoint('promote.after_delete');
  }

  async #pieces(difference: Difference, chunks: readonly Chunk[], signal: AbortSignal): Promise<readonly Chunk[]> {
    const found: Chunk[] = [];
    for (const chunk of chunks) {
      const records = await this.#clickhouse.query<{ position: string; bytes: string }>(
        difference.recordBytes(chunk),
        {},
        signal,
      );
      found.push(...piecesOf(chunk, records));
    }
    return found;
  }

  async #writePlaces(run: string, kind: PlaceKind, positions: Iterable<bigint>, signal: AbortSignal): Promise<void> {
    const table = tableName(targetOf(this.#context), shadowTable(this.#state.plan.id, PLACES));
    const all = [...positions];
    for (let at = 0; at < all.length; at += PLACES_AT_ONCE) {
      const rows = all
        .slice(at, at + PLACES_AT_ONCE)
        .map((position) => `(${quoteText(run)}, ${quoteText(kind)}, ${position})`);
      await this.#clickhouse.command(
        `INSERT INTO ${table} SETTINGS async_insert = 0 VALUES ${rows.join(', ')}`,
        signal,
      );
    }
    await catchUp(this.#clickhouse, targetOf(this.#context), [shadowTable(this.#state.plan.id, PLACES)], signal);
  }

  async #shadowOf(run: string, signal: AbortSignal): Promise<ReadonlyMap<bigint, ShadowRecord>> {
    const found = new Map<bigint, ShadowRecord>();
    for (const kind of signalsOf(this.#state.plan)) {
      const sql = new Difference(targetOf(this.#context), this.#state.plan, kind).shadowOf(run);
      const rows = await this.#clickhouse.query<{ position: string; rows: string; day: number }>(sql, {}, signal);
      for (const { position, rows: count, day } of rows) found.set(BigInt(position), { rows: Number(count), day });
    }
    return found;
  }

  async #stuckOf(run: string, { chunks }: Compared, signal: AbortSignal): Promise<ReadonlySet<bigint>> {
    const found = new Set<bigint>();
    for (const [kind, differing] of chunks) {
      const difference = new Difference(targetOf(this.#context), this.#state.plan, kind);
      for (const chunk of differing) {
        const rows = await this.#clickhouse.query<{ position: string }>(difference.stuckOf(run, chunk), {}, signal);
        for (const { position } of rows) found.add(BigInt(position));
      }
    }
    return found;
  }
}
