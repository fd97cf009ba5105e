import { createHash } from 'node:crypto';
import { type ClickHouse, type SchemaTarget, tableName } from '@weir/clickhouse';
import { Refused } from '../refused.ts';
import { shadowTable } from './plan.ts';
import { DEAD } from './shadow-tables.ts';

/** Items of one raw record that a replay could not store, as they would be one dead letter. */
export interface DeadPart {
  readonly position: bigint;
  /** Distinguishes several of one record; 0-based. */
  readonly nth: number;
  readonly reason: string;
  readonly items: number;
  /** Of the bytes that the letter would have. */
  readonly digest: string;
}

/** What is read of a {@link DeadPart}; a mended transcoder that gives up the same items for the same reason makes the same. */
export type DeadMark = Pick<DeadPart, 'reason' | 'items' | 'digest'>;

const DIGEST_CHARS = 32;
const PUT_AT_ONCE = 5_000;
/** More than a promotion can hold in memory. */
const READ_MAX = 1_000_000;

/** Tells the bytes of letters from one another. */
export function digestOf(value: Buffer): string {
  return createHash('sha256').update(value).digest('hex').slice(0, DIGEST_CHARS);
}

/** What a replay could not store: by it a promotion tells which dead letters come back. Lines twice say nothing more. */
export class ReplayDead {
  readonly #clickhouse: Pick<ClickHouse, 'command' | 'query'>;
  readonly #table: string;

  constructor(clickhouse: Pick<ClickHouse, 'command' | 'query'>, target: SchemaTarget, id: string) {
    this.#clickhouse = clickhouse;
    this.#table = tableName(target, shadowTable(id, DEAD));
  }

  async put(parts: readonly DeadPart[], signal: AbortSignal): Promise<void> {
    for (let at = 0; at < parts.length; at += PUT_AT_ONCE) {
      const rows = parts
        .slice(at, at + PUT_AT_ONCE)
        .map(({ position, nth, reason, items, digest }) => `(${position}, ${nth}, '${reason}', ${items}, '${digest}')`);
      await this.#clickhouse.command(
        `INSERT INTO ${this.#table} SETTINGS async_insert = 0 VALUES ${rows.join(', ')}`,
        signal,
      );
    }
  }

  /**
   * By raw position.
   * @param items how many there must be, as the replay's journal says
   * @throws Refused where there are others: the replay was made by an ingestctl that did not write them down
   */
  async read(items: number, signal: AbortSignal): Promise<ReadonlyMap<bigint, readonly DeadMark[]>> {
    const rows = await this.#clickhouse.query<{ position: string; reason: string; items: string; digest: string }>(
      `SELECT DISTINCT toString(RawPosition) AS position, Nth, Reason AS reason, toString(Items) AS items, Digest AS digest FROM ${this.#table} LIMIT ${READ_MAX + 1}`,
      {},
      signal,
    );
    if (rows.length > READ_MAX) {
      throw new Refused(`the replay could not store more than ${READ_MAX} parts of records: take a smaller window`);
    }
    if (rows.reduce((sum, row) => sum + Number(row.items), 0) !== items) {
      throw new Refused('the replay does not say what it could not store: replay the window again');
    }
    const found = new Map<bigint, DeadMark[]>();
    for (const { position, reason, items: count, digest } of rows) {
      const at = BigInt(position);
      const marks = found.get(at) ?? [];
      found.set(at, marks);
      marks.push({ reason, items: Number(count), digest });
    }
    return found;
  }
}
