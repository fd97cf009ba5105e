import { median } from '@weir/testkit';
import type { Database } from './database.ts';
import { turned } from './order.ts';
import { logs, type RowsShape, spans } from './rows.ts';
import { type Schema, TABLES } from './schemas.ts';

/** What filling one table took. */
export interface TableFill {
  readonly schema: string;
  readonly table: string;
  readonly rows: number;
  /** CPU seconds for each million rows of spans or logs, the look-up's view with its spans; left out where it is not known. */
  readonly insertCpuS?: number;
  /** Left out where merges went on between inserts, or a fill that was cut went on. */
  readonly mergeCpuS?: number;
  readonly bytesOnDisk: number;
  readonly bytesOfIndexes: number;
  readonly parts: number;
  /** Compressed bytes by column, the largest first. */
  readonly columns: Readonly<Record<string, number>>;
}

/** Milliseconds of CPU of each insert, by schema and table. */
export type InsertCosts = Readonly<Record<string, readonly number[]>>;

/** How tables are filled. */
export interface FillOptions {
  /** Rows of one insert, with merges as they come and as far as they come; by default merges wait for the end, when each table becomes one part a partition. */
  readonly insertRows?: number | undefined;
  /** Takes the costs so far after each piece. */
  readonly onPiece?: (costs: InsertCosts) => void;
  /** Those of a fill of the same rows that was cut: it goes on where its tables end. */
  readonly begun?: InsertCosts | undefined;
}

/** Rows of one insert: large enough that a hundred parts or so are left to merge at the end. */
export const rowsOfInsert = (rows: number): number => Math.min(500_000, Math.max(100_000, Math.ceil(rows / 100)));

const SOURCE = 'source';

const SPAN_COLUMNS = [
  ...['Timestamp', 'TraceId', 'SpanId', 'ParentSpanId', 'TraceState', 'SpanName', 'SpanKind', 'ServiceName'],
  ...['ScopeName', 'ScopeVersion', 'SpanAttributes', 'Duration', 'StatusCode', 'StatusMessage'],
].map((name) => [name, name] as const);
const EVENT_COLUMNS = [
  ['`Events.Timestamp`', 'EventTimes'],
  ['`Events.Name`', 'EventNames'],
  ['`Events.Attributes`', 'EventAttributes'],
] as const;
const LOG_COLUMNS = [
  ...['Timestamp', 'TraceId', 'SpanId', 'TraceFlags', 'SeverityText', 'SeverityNumber', 'ServiceName', 'Body'],
  ...[
    'ResourceSchemaUrl',
    'ScopeSchemaUrl',
    'ScopeName',
    'ScopeVersion',
    'ScopeAttributes',
    'LogAttributes',
    'EventName',
  ],
].map((name) => [name, name] as const);

const SIGNALS = [
  { table: 'otel_traces', select: spans, columns: [...SPAN_COLUMNS, ...EVENT_COLUMNS] },
  { table: 'otel_logs', select: logs, columns: LOG_COLUMNS },
];

/**
 * Makes the tables of all schemas and fills them with the same rows: each piece is made once, into memory, and inserted from there,
 * so that what is measured is the insert.
 *
 * @throws Error where a table has rows that no such fill leaves
 */
export function fill(
  database: Database,
  schemas: readonly Schema[],
  shape: RowsShape,
  onProgress: (text: string) => void,
  { insertRows, onPiece = () => undefined, begun }: FillOptions = {},
): TableFill[] {
  if (begun === undefined) {
    for (const statement of schemas.flatMap(({ statements }) => statements)) {
      database.execute(statement.replace('index_granularity = 8192', `index_granularity = ${shape.granuleRows}`));
    }
    onPiece({});
  }
  // Of the tables that are there: those that are made later merge.
  if (insertRows === undefined) database.execute('SYSTEM STOP MERGES');
  database.execute(`DROP DATABASE IF EXISTS ${SOURCE}`);
  database.execute(`CREATE DATABASE ${SOURCE}`);
  const piece = insertRows ?? rowsOfInsert(shape.rows);
  const insertMs = new Map(Object.entries(begun ?? {}).map(([key, costs]) => [key, [...costs]]));
  for (const { table, select, columns } of SIGNALS) {
    const source = `${SOURCE}.${table}`;
    database.execute(`CREATE TABLE ${source} ENGINE = Memory AS ${select(shape, 0, 0)}`);
    const there = new Map(schemas.map((schema) => [schema, rowsThere(database, schema, table)]));
    const first = Math.floor(Math.min(...there.values()) / piece) * piece;
    for (let from = first; from < shape.rows; from += piece) {
      const rows = Math.min(piece, shape.rows - from);
      database.insert(`INSERT INTO ${source} ${select(shape, from, rows)}`);
      for (const schema of turned(schemas, from / piece)) {
        const has = there.get(schema)!;
        if (has === from + rows) continue;
        if (has > from) throw new Error(`${schema.database}.${table} has ${has} rows`);
        const key = `${schema.name} ${table}`;
        const place = sorted(database, schema, table, source);
        insertMs.set(key, [...(insertMs.get(key) ?? []), database.insert(insertInto(schema, table, columns, place))]);
        there.set(schema, from + rows);
      }
      database.execute(`TRUNCATE TABLE ${source}`);
      onPiece(Object.fromEntries(insertMs));
      onProgress(`${table}: ${(from + rows).toLocaleString('en-US')}`);
    }
  }
  database.execute(`DROP DATABASE ${SOURCE}`);
  if (insertRows !== undefined) {
    database.endMerges();
    return schemas.flatMap((schema) => TABLES.map((table) => size(database, schema, table)));
  }
  return schemas.flatMap((schema) =>
    TABLES.map((table) => {
      const mergeMs = database.merge(schema.database, table);
      onProgress(`${schema.name} ${table}: merged`);
      const costs = insertMs.get(`${schema.name} ${table}`);
      // The median of the whole pieces: the first insert of a process costs more than the others.
      const whole = costs?.slice(0, Math.max(1, Math.floor(shape.rows / piece)));
      const insert = whole === undefined ? {} : { insertCpuS: (median(whole) * 1000) / Math.min(piece, shape.rows) };
      // What was merged before the cut is not known.
      const merge = begun === undefined ? { mergeCpuS: (mergeMs * 1000) / shape.rows } : {};
      return { ...size(database, schema, table), ...insert, ...merge };
    }),
  );
}

function rowsThere(database: Database, schema: Schema, table: string): number {
  const [found] = database.rows<{ n: string }>(`SELECT count() AS n FROM ${schema.database}.${table}`);
  return Number(found?.n);
}

/** Where this schema's rows come from: a sorted copy where it wants one. */
function sorted(database: Database, schema: Schema, table: string, source: string): string {
  const key = schema.sortedBy?.[table];
  if (key === undefined) return source;
  database.execute(
    `CREATE OR REPLACE TABLE ${source}_sorted ENGINE = Memory AS SELECT * FROM ${source} ORDER BY ${key}`,
  );
  return `${source}_sorted`;
}

function insertInto(
  schema: Schema,
  table: string,
  columns: readonly (readonly [string, string])[],
  source: string,
): string {
  const all = [...schema.owner, ...columns, ['ResourceAttributes', schema.resource]];
  const names = (index: number) => all.map((pair) => pair[index]).join(', ');
  return `INSERT INTO ${schema.database}.${table} (${names(0)}) SELECT ${names(1)} FROM ${source}`;
}

/** What a table takes on disk. */
function size(database: Database, schema: Schema, table: string): Omit<TableFill, 'insertCpuS' | 'mergeCpuS'> {
  const where = `WHERE active AND database = '${schema.database}' AND table = '${table}'`;
  const [parts] = database.rows<Record<'rows' | 'disk' | 'indexes' | 'parts', string>>(
    `SELECT sum(rows) AS rows, sum(bytes_on_disk) AS disk, sum(secondary_indices_compressed_bytes) AS indexes, count() AS parts FROM system.parts ${where}`,
  );
  const columns = database.rows<{ column: string; bytes: string }>(
    `SELECT column, sum(column_data_compressed_bytes) AS bytes FROM system.parts_columns ${where} GROUP BY column ORDER BY bytes DESC, column`,
  );
  return {
    schema: schema.name,
    table,
    rows: Number(parts?.rows),
    bytesOnDisk: Number(parts?.disk),
    bytesOfIndexes: Number(parts?.indexes),
    parts: Number(parts?.parts),
    columns: Object.fromEntries(columns.map(({ column, bytes }) => [column, Number(bytes)])),
  };
}
