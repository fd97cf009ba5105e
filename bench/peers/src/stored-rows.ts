import { ID_ATTRIBUTE, type LoadSignal } from '@weir/bench-load';
import { request } from 'undici';
import type { Unanswered } from './closed-loop.ts';

/** A database of the ClickHouse that a system writes to. */
export interface Database {
  readonly url: string;
  readonly database: string;
}

/** What became of a run's items. */
export interface Stored {
  /** Rows of the run. */
  readonly rows: number;
  /** Items that are there at least once. */
  readonly distinct: number;
  /** Accepted, and not there. */
  readonly lost: number;
  /** Rows beyond the first of an item. */
  readonly doubled: number;
}

/** The load's items have these tables and columns in contrib's schema and in Weir's alike. */
const TABLES: Readonly<Record<LoadSignal, { readonly table: string; readonly attributes: string }>> = {
  traces: { table: 'otel_traces', attributes: 'SpanAttributes' },
  logs: { table: 'otel_logs', attributes: 'LogAttributes' },
  metrics: { table: 'otel_metrics_gauge', attributes: 'Attributes' },
};

/** Rows of the signal's table, of whatever run. Costs ClickHouse nothing: it knows the number. */
export async function countRows(database: Database, signal: LoadSignal): Promise<number> {
  return Number(await ask(database, `SELECT count() FROM ${TABLES[signal].table}`));
}

/** Empties the tables of the load, what their views fill as well. */
export async function emptyTables(database: Database): Promise<void> {
  const tables = await ask(
    database,
    `SELECT name FROM system.tables WHERE database = '${database.database}' AND startsWith(name, 'otel_') AND engine LIKE '%MergeTree' FORMAT TabSeparated`,
  );
  for (const table of tables.split('\n').filter((name) => name !== '')) await ask(database, `TRUNCATE TABLE ${table}`);
}

/** Merges under way, and parts: as long as these change, ClickHouse is at work on what was inserted. */
export async function mergeState(database: Database): Promise<string> {
  const own = `database = '${database.database}'`;
  return ask(
    database,
    `SELECT (SELECT count() FROM system.merges WHERE ${own}), (SELECT count() FROM system.parts WHERE active AND ${own}) FORMAT TabSeparated`,
  );
}

/** Looks up every item of a run by its id. Reads the whole table: not to be called while anything is measured. */
export async function checkStored(
  database: Database,
  signal: LoadSignal,
  run: string,
  sentItems: number,
  notAccepted: readonly Unanswered[],
): Promise<Stored> {
  const { table, attributes } = TABLES[signal];
  const id = `${attributes}['${ID_ATTRIBUTE}']`;
  const ranges = notAccepted.map(({ first, items }) => `(n >= ${first} AND n < ${first + items})`);
  const accepted = ranges.length === 0 ? '1' : `NOT (${ranges.join(' OR ')})`;
  // Data points of a run are one series; their values tell them apart.
  const number = signal === 'metrics' ? 'toUInt64(Value)' : `toUInt64(splitByChar('/', ${id})[3])`;
  const numbers = `SELECT ${number} AS n FROM ${table} WHERE startsWith(${id}, '${run}/')`;
  const answer = await ask(
    database,
    `SELECT count(), uniqExact(n), uniqExactIf(n, ${accepted}) FROM (${numbers}) FORMAT TabSeparated`,
  );
  const [rows = 0, distinct = 0, ofAccepted = 0] = answer.split('\t').map(Number);
  const acceptedItems = sentItems - notAccepted.reduce((sum, { items }) => sum + items, 0);
  return { rows, distinct, lost: acceptedItems - ofAccepted, doubled: rows - distinct };
}

export async function versionOf(database: Database): Promise<string> {
  return (await ask(database, 'SELECT version()')).trim();
}

/** @throws with what ClickHouse says */
export async function ask({ url, database }: Database, sql: string): Promise<string> {
  const { statusCode, body } = await request(`${url}/?database=${database}`, { method: 'POST', body: sql });
  const text = await body.text();
  if (statusCode !== 200) throw new Error(`ClickHouse: ${text.slice(0, 300)}`);
  return text;
}
