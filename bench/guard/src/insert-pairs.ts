import { bootstrapStatements, MIGRATIONS } from '@weir/clickhouse';
import { TABLE_COLUMNS, type TableName } from '@weir/records';
import { Engine, median } from '@weir/testkit';
import type { BenchExport } from './exports.ts';
import { type Compared, cpuMs } from './measure.ts';
import { blocksOf, DAY } from './pairs.ts';
import { plainRows } from './plain-rows.ts';

const DATABASE = 'weir';

/** The engine with the tables, indexes and views of the schema. Merges are off, so that an insert pays for itself alone. */
export async function openTables(): Promise<Engine> {
  const engine = await Engine.open();
  const target = { database: DATABASE };
  for (const sql of bootstrapStatements(target)) engine.execute(sql);
  for (const migration of MIGRATIONS) for (const sql of migration.statements(target)) engine.execute(sql);
  engine.execute('SYSTEM STOP MERGES');
  return engine;
}

/** The same rows of each table, ready to be inserted in both ways. */
export interface SameRows {
  readonly table: TableName;
  readonly rows: number;
  /** What stands behind INSERT INTO. */
  readonly native: string;
  readonly json: string;
}

/** @param tenant of the JSON rows; the Native ones are of the tenant `acme` */
export function sameRows(engine: Engine, one: BenchExport, tenant: string): SameRows[] {
  const plain = plainRows(one.signal, one.body, tenant, DAY);
  return blocksOf(one).map(({ table, rows, block }) => {
    const columns = TABLE_COLUMNS[table];
    const names = columns.map(({ name }) => `\`${name}\``).join(', ');
    const structure = columns.map(({ name, type }) => `\`${name}\` ${type}`).join(', ');
    const into = `${DATABASE}.${table} (${names}) SELECT ${names} FROM`;
    const lines = `${(plain[table] ?? []).join('\n')}\n`;
    return {
      table,
      rows,
      native: `${into} ${engine.saveBlock(block)}`,
      json: `${into} ${engine.saveLines(lines, structure)}`,
    };
  });
}

/** What ClickHouse pays for the rows of an export as Native and as JSONEachRow, in turn. */
export function compareInserts(engine: Engine, one: BenchExport, rounds: number): Compared {
  const tables = sameRows(engine, one, 'acme');
  let inserts = 0;
  const cost = (way: 'native' | 'json') =>
    tables.reduce((sum, table) => {
      const settings = `SETTINGS insert_deduplication_token = '${one.signal}-${inserts++}'`;
      return sum + cpuMs(() => engine.execute(`INSERT INTO ${table[way]} ${settings}`));
    }, 0);
  cost('native');
  cost('json');
  const both = Array.from({ length: rounds }, () => ({ oursMs: cost('native'), referenceMs: cost('json') }));
  const oursMs = median(both.map((round) => round.oursMs));
  return {
    name: `${one.signal}: ClickHouse insert`,
    oursS: (oursMs / one.items) * 1_000,
    referenceS: (median(both.map((round) => round.referenceMs)) / one.items) * 1_000,
    ratio: median(both.map((round) => round.referenceMs / round.oursMs)),
    megabytesPerS: one.body.length / oursMs / 1_000,
  };
}
