import { quoteName, quoteText, type SchemaTarget, tableName } from '@weir/clickhouse';
import type { SignalKind } from '@weir/pipeline';
import { rawPosition, readRawPosition, signalOf, TABLE_COLUMNS, type TableName } from '@weir/records';
import type { DoneBatch } from '../replay/journal.ts';
import { type ReplayPlan, shadowTable } from '../replay/plan.ts';
import { PLACES, STALE } from '../replay/shadow-tables.ts';

/** A run of raw offsets, both inclusive, whose rows are looked at together. */
export interface Chunk {
  readonly partition: number;
  readonly first: number;
  readonly last: number;
}

/** Retention is a setting of today, and no part of what was sent. */
const NOT_COMPARED = new Set(['RetentionDays']);
/** Rows of one table that one question is about: far below one block, which an insert token covers as a whole. */
const CHUNK_ROWS_MAX = 400_000;

/** The batches of a replay, several together where they are small: always the same of the same journal. */
export function chunksOf(batches: readonly DoneBatch[]): readonly Chunk[] {
  const chunks: { partition: number; first: number; last: number; rows: number }[] = [];
  for (const { partition, first, last, tally } of batches) {
    const rows = Object.values(tally.rows).reduce((sum, count) => sum + count, 0);
    const open = chunks.at(-1);
    if (open !== undefined && open.partition === partition && open.rows + rows <= CHUNK_ROWS_MAX) {
      open.last = last;
      open.rows += rows;
    } else chunks.push({ partition, first, last, rows });
  }
  return chunks;
}

/** Half of what makes ClickHouse cut an insert into blocks, of which a token covers only the first. */
const FILL_BYTES_MAX = 256 * 1024 ** 2;

/** A chunk cut into pieces that go in as one block each; always the same of the same shadow. */
export function piecesOf(
  chunk: Chunk,
  records: readonly { readonly position: string; readonly bytes: string }[],
  bytesMax: number = FILL_BYTES_MAX,
): readonly Chunk[] {
  const pieces: { partition: number; first: number; last: number }[] = [{ ...chunk }];
  let held = 0;
  for (const { position, bytes } of records) {
    const offset = readRawPosition(BigInt(position))!.offset;
    const piece = pieces.at(-1)!;
    if (held > 0 && held + Number(bytes) > bytesMax) {
      pieces.push({ ...chunk, first: offset });
      piece.last = offset - 1;
      held = 0;
    }
    held += Number(bytes);
  }
  return pieces;
}

/** The columns that a table's blocks have. */
export function columnsOf(table: TableName): string {
  return TABLE_COLUMNS[table].map(({ name }) => quoteName(name)).join(', ');
}

/** Raw positions that a run has written down, by what for: `letters` have dead letters, `left` stay as they are. */
export type PlaceKind = 'letters' | 'left';

/**
 * SQL of the difference between the live tables of one signal and their shadows. ClickHouse compares; nothing is pulled out of
 * it. A raw record is looked at over all of these tables, since a mended transcoder may put an item into another one.
 */
export class Difference {
  readonly tables: readonly TableName[];
  readonly stale: string;
  readonly #target: SchemaTarget;
  readonly #plan: ReplayPlan;
  readonly #run: string | undefined;

  /** @param run whose `left` places are left out; left out itself: none is */
  constructor(target: SchemaTarget, plan: ReplayPlan, signal: SignalKind, run?: string) {
    this.#target = target;
    this.#plan = plan;
    this.#run = run;
    this.tables = plan.tables.filter((table) => signalOf(table) === signal);
    this.stale = tableName(target, shadowTable(plan.id, STALE));
  }

  /** What is of the window, whichever table it is in. */
  get #scope(): string {
    const { days, filter } = this.#plan;
    const tenants = filter.tenants.map(quoteText).join(', ');
    return `ReceivedDay BETWEEN ${quoteText(days[0])} AND ${quoteText(days[1])}${tenants === '' ? '' : ` AND TenantId IN (${tenants})`}`;
  }

  #where(chunk: Chunk): string {
    return `${this.#scope} AND ${this.#within(chunk)}`;
  }

  #within({ partition, first, last }: Chunk): string {
    const at = (offset: number) => rawPosition(this.#plan.track, partition, offset);
    return `RawPosition BETWEEN ${at(first)} AND ${at(last)}`;
  }

  #marked(table: TableName, chunk: Chunk): string {
    return `TableName = ${quoteText(table)} AND ${this.#within(chunk)}`;
  }

  #places(kind: PlaceKind, run: string): string {
    const table = tableName(this.#target, shadowTable(this.#plan.id, PLACES));
    return `(SELECT RawPosition FROM ${table} WHERE Run = ${quoteText(run)} AND Kind = ${quoteText(kind)})`;
  }

  #live(table: TableName): string {
    return tableName(this.#target, table);
  }

  #shadow(table: TableName): string {
    return tableName(this.#target, shadowTable(this.#plan.id, table));
  }

  /** What the shadow's rows of each raw record take in memory, in the order of the records. */
  recordBytes(chunk: Chunk): string {
    const sides = this.tables.map(
      (table) => `SELECT RawPosition, byteSize(*) AS Bytes FROM ${this.#shadow(table)} WHERE ${this.#where(chunk)}`,
    );
    return `SELECT toString(RawPosition) AS position, toString(sum(Bytes)) AS bytes FROM (${sides.join(' UNION ALL ')}) GROUP BY RawPosition ORDER BY RawPosition`;
  }

  /** Rows of the window's days and tenants of which it is not known whether they are of the window. */
  unplaced(table: TableName): string {
    return `SELECT toString(count()) AS n FROM ${this.#live(table)} WHERE ${this.#scope} AND RawPosition = 0`;
  }

  /** Rows, alike in all columns, of which one side has more: how many copies there are here and there. */
  leftOver(chunk: Chunk): string {
    const kept = this.#run === undefined ? '' : ` AND RawPosition NOT IN ${this.#places('left', this.#run)}`;
    const sides = this.tables.flatMap((table) =>
      [this.#live(table), this.#shadow(table)].map(
        (from, at) =>
          `SELECT TenantId, RawPosition, ${quoteText(table)} AS TableName, ${hashOf(table)} AS Hash, ${1 - at} AS Live FROM ${from} WHERE ${this.#where(chunk)}${kept}`,
      ),
    );
    return `SELECT TenantId, RawPosition, TableName, Hash, toInt64(countIf(Live = 1)) AS l, toInt64(countIf(Live = 0)) AS s FROM (${sides.join(' UNION ALL ')}) GROUP BY TenantId, RawPosition, TableName, Hash HAVING l != s`;
  }

  /**
   * What is left over of each raw record in each table: on the live side, and in the shadow; and of the live rows those that the
   * shadow has, too, but not as often: such a one cannot be told from its copies. `isWhole`: over all tables the shadow has as
   * many left over as live, and nothing is stuck.
   */
  byTable(chunk: Chunk): string {
    const sums = `SELECT TenantId, RawPosition, TableName, sumIf(l - s, l > s) AS lo, sumIf(s - l, s > l) AS so, countIf(l > s AND s > 0) AS stuck FROM (${this.leftOver(chunk)}) GROUP BY TenantId, RawPosition, TableName`;
    return `SELECT *, sum(lo) OVER record AS allLo, allLo <= sum(so) OVER record AND sum(stuck) OVER record = 0 AS isWhole FROM (${sums}) WINDOW record AS (PARTITION BY TenantId, RawPosition)`;
  }

  /** By table and tenant; `replaceable` of the live rows may be replaced, `fillable` are those that live lacks then. */
  counts(chunk: Chunk): string {
    return `SELECT TableName AS table, TenantId AS tenant, toString(sum(least(lo, so))) AS different, toString(sum(lo - least(lo, so))) AS onlyLive, toString(sum(so - least(lo, so))) AS onlyShadow, toString(sumIf(lo, isWhole)) AS replaceable, toString(sumIf(so, isWhole)) AS fillable FROM (${this.byTable(chunk)}) GROUP BY TableName, TenantId`;
  }

  /** Some raw records that differ in a table, of each tenant. */
  records(table: TableName, chunk: Chunk, most: number): string {
    return `SELECT TenantId AS tenant, toString(RawPosition) AS position FROM (${this.byTable(chunk)}) WHERE TableName = ${quoteText(table)} ORDER BY TenantId, RawPosition LIMIT ${most} BY TenantId`;
  }

  /** The rows of one raw record that are left over in a table, of both sides. */
  rows(table: TableName, chunk: Chunk, position: string, most: number): string {
    const rest = `SELECT Hash FROM (${this.leftOver(chunk)}) WHERE TableName = ${quoteText(table)} AND RawPosition = ${position}`;
    const side = (from: string, live: number, more: string) =>
      `(SELECT ${live} AS live, ${columnsOf(table)} FROM ${from} WHERE ${this.#where(chunk)} AND RawPosition = ${position} AND ${hashOf(table)} IN (${rest} AND ${more}) LIMIT ${most})`;
    return `${side(this.#live(table), 1, 'l > s')} UNION ALL ${side(this.#shadow(table), 0, 's > l')}`;
  }

  /** Of the run's places that have letters: how many rows the shadow has of each, and of which day they are. */
  shadowOf(run: string): string {
    const letters = this.#places('letters', run);
    const sides = this.tables.map(
      (table) =>
        `SELECT RawPosition, ReceivedDay FROM ${this.#shadow(table)} WHERE ${this.#scope} AND RawPosition IN ${letters}`,
    );
    return `SELECT toString(RawPosition) AS position, toString(count()) AS rows, toUInt32(toUInt16(min(ReceivedDay))) AS day FROM (${sides.join(' UNION ALL ')}) GROUP BY RawPosition`;
  }

  /** The run's places with letters whose live rows stay as they are, so that nothing is inserted there either. */
  stuckOf(run: string, chunk: Chunk): string {
    return `SELECT DISTINCT toString(RawPosition) AS position FROM (${this.byTable(chunk)}) WHERE NOT isWhole AND RawPosition IN ${this.#places('letters', run)}`;
  }

  /** Writes down which live rows are to be replaced: those left over of records where the shadow has as many left over. */
  markStale(table: TableName, chunk: Chunk): string {
    const records = `SELECT TenantId, RawPosition FROM (${this.byTable(chunk)}) WHERE allLo > 0 AND isWhole`;
    return `INSERT INTO ${this.stale} SELECT TableName, RawPosition, Hash FROM (${this.leftOver(chunk)}) WHERE TableName = ${quoteText(table)} AND l > s AND s = 0 AND (TenantId, RawPosition) IN (${records})`;
  }

  /** A row where anything of the chunk is written down: what has none needs no mutation. */
  hasStale(table: TableName, chunk: Chunk): string {
    return `SELECT 1 AS n FROM ${this.stale} WHERE ${this.#marked(table, chunk)} LIMIT 1`;
  }

  /** Deletes what is written down. It matches no row that the shadow has. */
  deleteStale(table: TableName, chunk: Chunk): string {
    const marked = `SELECT RawPosition, Hash FROM ${this.stale} WHERE ${this.#marked(table, chunk)}`;
    return `DELETE FROM ${this.#live(table)} WHERE ${this.#where(chunk)} AND (RawPosition, ${hashOf(table)}) IN (${marked}) SETTINGS lightweight_deletes_sync = 2, allow_nondeterministic_mutations = 1`;
  }

  /** Inserts what live lacks of records of which no live table has anything left over; as many copies as are missing. */
  fill(table: TableName, chunk: Chunk, token: string): string {
    const columns = columnsOf(table);
    const records = `SELECT TenantId, RawPosition FROM (${this.byTable(chunk)}) WHERE allLo = 0`;
    const missing = `SELECT RawPosition AS p, Hash AS h, s - l AS missing FROM (${this.leftOver(chunk)}) WHERE TableName = ${quoteText(table)} AND s > l AND (TenantId, RawPosition) IN (${records})`;
    const copies = `SELECT ${columns}, ${hashOf(table)} AS weir_hash, row_number() OVER (PARTITION BY RawPosition, weir_hash) AS weir_copy FROM ${this.#shadow(table)} WHERE ${this.#where(chunk)} AND (RawPosition, ${hashOf(table)}) IN (SELECT p, h FROM (${missing}))`;
    return `INSERT INTO ${this.#live(table)} (${columns}) SELECT ${columns} FROM (${copies}) AS rows INNER JOIN (${missing}) AS lacking ON rows.RawPosition = lacking.p AND rows.weir_hash = lacking.h WHERE weir_copy <= missing SETTINGS ${FILL_SETTINGS}, insert_deduplication_token = ${quoteText(token)}`;
  }
}

function hashOf(table: TableName): string {
  const compared = TABLE_COLUMNS[table].filter(({ name }) => !NOT_COMPARED.has(name));
  return `cityHash64(${compared.map(({ name }) => quoteName(name)).join(', ')})`;
}

/** One block, whose token then covers all of it. */
const FILL_SETTINGS = [
  'async_insert = 0',
  'insert_deduplicate = 1',
  'deduplicate_blocks_in_dependent_materialized_views = 1',
  'min_insert_block_size_rows = 1048448',
  'min_insert_block_size_bytes = 536870912',
  'max_insert_threads = 1',
  'max_partitions_per_insert_block = 10000',
].join(', ');
