import { zstdDecompressSync } from 'node:zlib';
import type { ClickHouse } from '@weir/clickhouse';
import { BlockRows } from '@weir/native';
import { type Clock, DependencyError, zstdFrame } from '@weir/pipeline';
import { signalOf, type TableName, tableLayouts, UsageTally, usageBlock } from '@weir/records';
import type { Letter } from './letters.ts';
import type { RedriveJournal } from './redrive-journal.ts';

/** Rows of one tenant that ClickHouse refused, as they go into their table after all. */
export interface RowsCopy {
  readonly key: string;
  readonly table: TableName;
  /** One zstd frame of one Native block. */
  readonly frame: Buffer;
  readonly rows: number;
  /** Received on this day, days since the epoch. */
  readonly day: number;
  readonly tenant: string;
}

export type MadeRows = { readonly ok: true; readonly rows: RowsCopy } | { readonly ok: false; readonly why: string };

const BLOCK_BYTES_MAX = 256 * 1024 ** 2;
const MINUTES_PER_DAY = 1_440;
const RETRY_MS = 500;
/** A table remembers the tokens of 100,000 inserts: 1 h 44 min of 16 a second. */
const TOKEN_MS = 3_600_000;

/** The rows of a letter, or why they cannot go in. */
export function rowsOf({ key, meta, value }: Letter): MadeRows {
  const { table, tenant, items } = meta;
  if (table === undefined || signalOf(table) === undefined || tenant === '') {
    return { ok: false, why: 'it is not known whose it is' };
  }
  let block: BlockRows | undefined;
  try {
    block = BlockRows.readAny(zstdDecompressSync(value, { maxOutputLength: BLOCK_BYTES_MAX }), tableLayouts(table));
  } catch {
    return { ok: false, why: 'it cannot be decompressed' };
  }
  if (block === undefined) return { ok: false, why: 'its rows have not the columns of the table' };
  if (block.count === 0 || block.count !== items) return { ok: false, why: 'it has not the items that it should' };
  for (let row = 0; row < block.count; row++) {
    if (block.text('TenantId', row) !== tenant) return { ok: false, why: 'it has rows of another tenant' };
  }
  const day = block.day('ReceivedDay', 0);
  return { ok: true, rows: { key, table, frame: value, rows: items, day, tenant } };
}

/**
 * What became of rows: `refused` by ClickHouse, as before, or `unknown`: refused, but an earlier attempt had no answer and may
 * have brought them in. Those stay open.
 */
export type RowsOutcome = 'stored' | 'refused' | 'unknown';

/** What is known of the attempts that came before. */
type Known = 'nothing went before' | 'rows may be in';

/** Whether ClickHouse has taken rows; and of refused ones whether an attempt without an answer may have brought them in. */
interface Inserted {
  readonly isTaken: boolean;
  readonly isCertain: boolean;
}

/**
 * Inserts rows that ClickHouse refused once, and puts the books right: they are past the normalizer, so the front of the pipe has
 * nothing to do with them. Insert tokens come from the letter's key, so what is inserted again after a crash is dropped.
 */
export class RowsRedriver {
  readonly #clickhouse: Pick<ClickHouse, 'insertBlocks'>;
  readonly #clock: Clock;
  readonly #journal: RedriveJournal;
  readonly #id: string;
  #chunks = 0;

  /** @param id random for each redrive */
  constructor(clickhouse: Pick<ClickHouse, 'insertBlocks'>, clock: Clock, journal: RedriveJournal, id: string) {
    this.#clickhouse = clickhouse;
    this.#clock = clock;
    this.#journal = journal;
    this.#id = id;
  }

  /** @throws Error where another redrive has taken the letter */
  async send(rows: RowsCopy, signal: AbortSignal): Promise<RowsOutcome> {
    const chunk = `${this.#id}/rows/${this.#chunks++}`;
    const atMs = Number(this.#clock.wallNs() / 1_000_000n);
    await this.#journal.put({ kind: 'insert', chunk, atMs, letters: [rows.key] }, signal);
    if (this.#journal.book.chunk(chunk) !== 'sending')
      throw new Error('another redrive, or a promotion, has taken these letters');
    return this.#finish(chunk, rows, 'nothing went before', signal);
  }

  /**
   * Ends what was cut off, by doing it again: what is in is dropped by its token.
   *
   * @param find the rows of a letter by its key, as long as there is one
   * @returns letters of which it cannot be told: they are gone, or the tokens may be forgotten, or ClickHouse refuses now what may be in
   */
  async settle(find: (key: string) => RowsCopy | undefined, signal: AbortSignal): Promise<number> {
    let unknown = 0;
    const nowMs = Number(this.#clock.wallNs() / 1_000_000n);
    for (const { chunk, letters, atMs } of this.#journal.book.openInserts()) {
      const rows = find(letters[0] ?? '');
      const isTooLate = rows === undefined || nowMs - atMs >= TOKEN_MS;
      const outcome = isTooLate ? 'unknown' : await this.#finish(chunk, rows, 'rows may be in', signal);
      if (outcome !== 'stored') unknown += letters.length;
    }
    return unknown;
  }

  async #finish(chunk: string, rows: RowsCopy, before: Known, signal: AbortSignal): Promise<RowsOutcome> {
    const token = `dlq:${rows.key}`;
    const insert = { table: rows.table, frames: [rows.frame], token };
    // A view that throws makes an insert fail whose rows are in: without a say of the views it is told apart, as sinks do.
    const first = await this.#insert(insert, signal);
    const last = first.isTaken ? first : await this.#insert({ ...insert, viewsMayFail: true }, signal);
    if (!last.isTaken) {
      // A constraint is looked at before a token is: who is refused now may have been taken before.
      if (before === 'rows may be in' || !first.isCertain || !last.isCertain) return 'unknown';
      await this.#journal.put({ kind: 'settling', chunk }, signal);
      await this.#journal.put({ kind: 'settled', chunk, found: false }, signal);
      return 'refused';
    }
    const books = { table: 'weir_usage', frames: [usageOf(rows)], token: `${token}:books` } as const;
    if (!(await this.#insert(books, signal)).isTaken) throw new Error('ClickHouse refuses rows of weir_usage');
    await this.#journal.put({ kind: 'done', chunk }, signal);
    const cutOff = this.#journal.book.chunk(chunk) === 'settling';
    if (cutOff) await this.#journal.put({ kind: 'settled', chunk, found: true }, signal);
    return 'stored';
  }

  /** Tried until ClickHouse answers. */
  async #insert(insert: Parameters<ClickHouse['insertBlocks']>[0], signal: AbortSignal): Promise<Inserted> {
    for (let isCertain = true; ; isCertain = false) {
      try {
        await this.#clickhouse.insertBlocks(insert, signal);
        return { isTaken: true, isCertain };
      } catch (error) {
        signal.throwIfAborted();
        if (!(error instanceof DependencyError)) throw error;
        if (!error.retryable) return { isTaken: false, isCertain };
      }
      await this.#clock.sleep(RETRY_MS, signal);
    }
  }
}

/** They were booked as dead letters of the day of their rows. */
function usageOf({ table, tenant, rows, day }: RowsCopy): Buffer {
  const tally = new UsageTally();
  const whose = { tenant, signal: signalOf(table)!, minute: day * MINUTES_PER_DAY, bytes: 0 };
  tally.add({ ...whose, outcome: 'stored', reason: '', items: rows });
  tally.add({ ...whose, outcome: 'dead_lettered', reason: 'rows_rejected', items: -rows });
  return zstdFrame(usageBlock(tally.entries()));
}
