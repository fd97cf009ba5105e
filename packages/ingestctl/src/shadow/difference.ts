import { quoteName, type SchemaTarget, tableName } from '@weir/clickhouse';
import { rawPosition, readRawPosition, TABLE_COLUMNS, type TableName } from '@weir/records';
import { type DoneBatch, quoted } from '../replay/journal.ts';
import { type ReplayPlan, shadowTable } from '../replay/plan.ts';
import { STALE } from '../replay/shadow-tables.ts';

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

/** SQL of the difference between a live table and its shadow. ClickHouse compares; nothing is pulled out of it. */
export class Difference {
  readonly live: string;
  readonly shadow: string;
  readonly stale: string;
  readonly hash: string;
  readonly #plan: ReplayPlan;

  constructor(target: SchemaTarget, plan: ReplayPlan, table: TableName) {
    this.#plan = plan;
    this.live = tableName(target, table);
    this.shadow = tableName(target, shadowTable(plan.id, table));
    this.stale = tableName(target, shadowTable(plan.id, STALE));
    const compared = TABLE_COLUMNS[table].filter(({ name }) => !NOT_COMPARED.has(name));
    this.hash = `cityHash64(${compared.map(({ name }) => quoteName(name)).join(', ')})`;
  }

  /** What is of the window, whichever table it is in. */
  get #scope(): string {
    const { days, filter } = this.#plan;
    const tenants = filter.tenants.map(quoted).join(', ');
    return `ReceivedDay BETWEEN ${quoted(days[0])} AND ${quoted(days[1])}${tenants === '' ? '' : ` AND TenantId IN (${tenants})`}`;
  }

  where({ partition, first, last }: Chunk): string {
    const at = (offset: number) => rawPosition(this.#plan.track, partition, offset);
    return `${this.#scope} AND RawPosition BETWEEN ${at(first)} AND ${at(last)}`;
  }

  /** What the shadow's rows of each raw record take in memory, in the order of the records. */
  recordBytes(chunk: Chunk): string {
    return `SELECT toString(RawPosition) AS position, toString(sum(byteSize(*))) AS bytes FROM ${this.shadow} WHERE ${this.where(chunk)} GROUP BY RawPosition ORDER BY RawPosition`;
  }

  /** Rows of the window's days and tenants of which it is not known whether they are of the window. */
  unplaced(): string {
    return `SELECT toString(count()) AS n FROM ${this.live} WHERE ${this.#scope} AND RawPosition = 0`;
  }

  /** Rows, alike in all columns, of which one side has more: how many copies there are here and there. */
  leftOver(chunk: Chunk): string {
    const side = (table: string, isLive: number) =>
      `SELECT TenantId, RawPosition, ${this.hash} AS Hash, ${isLive} AS Live FROM ${table} WHERE ${this.where(chunk)}`;
    return `SELECT TenantId, RawPosition, Hash, toInt64(countIf(Live = 1)) AS l, toInt64(countIf(Live = 0)) AS s FROM (${side(this.live, 1)} UNION ALL ${side(this.shadow, 0)}) GROUP BY TenantId, RawPosition, Hash HAVING l != s`;
  }

  /**
   * What is left over of each raw record: on the live side, and in the shadow; and of the live rows those that the shadow has,
   * too, but not as often: such a one cannot be told from its copies.
   */
  byRecord(chunk: Chunk): string {
    return `SELECT TenantId, RawPosition, sumIf(l - s, l > s) AS lo, sumIf(s - l, s > l) AS so, countIf(l > s AND s > 0) AS stuck FROM (${this.leftOver(chunk)}) GROUP BY TenantId, RawPosition`;
  }

  /** By tenant; `replaceable` of the different rows may be replaced, `fillable` are those that live lacks then. */
  counts(chunk: Chunk): string {
    return `SELECT TenantId AS tenant, toString(sum(least(lo, so))) AS different, toString(sum(lo - least(lo, so))) AS onlyLive, toString(sum(so - least(lo, so))) AS onlyShadow, toString(sumIf(lo, lo <= so AND stuck = 0)) AS replaceable, toString(sumIf(so, lo <= so AND stuck = 0)) AS fillable FROM (${this.byRecord(chunk)}) GROUP BY TenantId`;
  }

  /** Some raw records that differ, of each tenant. */
  records(chunk: Chunk, most: number): string {
    return `SELECT TenantId AS tenant, toString(RawPosition) AS position FROM (${this.byRecord(chunk)}) ORDER BY TenantId, RawPosition LIMIT ${most} BY TenantId`;
  }

  /** The rows of one raw record that are left over, of both sides. */
  rows(table: TableName, chunk: Chunk, position: string, most: number): string {
    const rest = `SELECT Hash FROM (${this.leftOver(chunk)}) WHERE RawPosition = ${position}`;
    const side = (from: string, live: number, more: string) =>
      `(SELECT ${live} AS live, ${columnsOf(table)} FROM ${from} WHERE ${this.where(chunk)} AND RawPosition = ${position} AND ${this.hash} IN (${rest} AND ${more}) LIMIT ${most})`;
    return `${side(this.live, 1, 'l > s')} UNION ALL ${side(this.shadow, 0, 's > l')}`;
  }

  /** Writes down which live rows are to be replaced: those left over of records where the shadow has as many left over. */
  markStale(table: TableName, chunk: Chunk): string {
    const records = `SELECT RawPosition FROM (${this.byRecord(chunk)}) WHERE lo > 0 AND lo <= so AND stuck = 0`;
    return `INSERT INTO ${this.stale} SELECT ${quoted(table)}, RawPosition, Hash FROM (${this.leftOver(chunk)}) WHERE l > s AND s = 0 AND RawPosition IN (${records})`;
  }

  /** Deletes what is written down. It matches no row that the shadow has. */
  deleteStale(table: TableName, chunk: Chunk): string {
    const marked = `SELECT RawPosition, Hash FROM ${this.stale} WHERE TableName = ${quoted(table)}`;
    return `DELETE FROM ${this.live} WHERE ${this.where(chunk)} AND (RawPosition, ${this.hash}) IN (${marked}) SETTINGS lightweight_deletes_sync = 2, allow_nondeterministic_mutations = 1`;
  }

  /** Inserts what live lacks of records of which it has nothing left over; as many copies as are missing. */
  fill(table: TableName, chunk: Chunk, token: string): string {
    const columns = columnsOf(table);
    const records = `SELECT RawPosition FROM (${this.byRecord(chunk)}) WHERE lo = 0`;
    const missing = `SELECT RawPosition AS p, Hash AS h, s - l AS missing FROM (${this.leftOver(chunk)}) WHERE s > l AND RawPosition IN (${records})`;
    const copies = `SELECT ${columns}, ${this.hash} AS weir_hash, row_number() OVER (PARTITION BY RawPosition, weir_hash) AS weir_copy FROM ${this.shadow} WHERE ${this.where(chunk)} AND (RawPosition, ${this.hash}) IN (SELECT p, h FROM (${missing}))`;
    return `INSERT INTO ${this.live} (${columns}) SELECT ${columns} FROM (${copies}) AS rows INNER JOIN (${missing}) AS lacking ON rows.RawPosition = lacking.p AND rows.weir_hash = lacking.h WHERE weir_copy <= missing SETTINGS ${FILL_SETTINGS}, insert_deduplication_token = ${quoted(token)}`;
  }
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
