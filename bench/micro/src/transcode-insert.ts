import { bootstrapStatements, MIGRATIONS } from '@weir/clickhouse';
import { Transcoder } from '@weir/normalizer';
import { Engine } from '@weir/testkit';
import { type BenchExport, logsExport, metricsExport, spansExport } from './exports.ts';

const DATABASE = 'weir';
const ROWS = 100_000;
const INSERTS = 7;

/** CPU microseconds of this process that the work takes, every thread of the engine included. */
function cpuUs(work: () => void): number {
  const before = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(before);
  return user + system;
}

function insertLine(engine: Engine, table: string, rows: number, block: Buffer): string {
  const name = `${DATABASE}.${table}`;
  engine.execute('SYSTEM STOP MERGES');
  const source = engine.saveBlock(block);
  const insert = (token: number) =>
    `INSERT INTO ${name} SELECT * FROM ${source} SETTINGS insert_deduplication_token = '${token}'`;
  const costs = Array.from({ length: INSERTS }, (_, i) => cpuUs(() => engine.execute(insert(i))));
  costs.sort((a, b) => a - b);
  engine.execute('SYSTEM START MERGES');
  const merge = cpuUs(() => engine.execute(`OPTIMIZE TABLE ${name} FINAL`));
  const [size] = engine.select<{ bytes: number }>(
    `SELECT sum(bytes_on_disk) / sum(rows) AS bytes FROM system.parts WHERE database = '${DATABASE}' AND table = '${table}' AND active`,
  );
  const perRow = (us: number) => (us / rows).toFixed(2).padStart(6);
  return [
    `insert ${rows} rows into ${table}`.padEnd(56),
    `${perRow(costs[INSERTS >> 1]!)} us CPU/row, merged at ${perRow(merge / INSERTS)} us,`,
    `${(size?.bytes ?? 0).toFixed(0)} bytes/row on disk`,
  ].join(' ');
}

function blocksOf(one: BenchExport): { table: string; rows: number; block: Buffer }[] {
  const transcoder = new Transcoder();
  const blocks: { table: string; rows: number; block: Buffer }[] = [];
  const owner = { tenant: 'acme', retentionDays: 30, receivedAtNs: 1_795_237_200_000_000_000n };
  transcoder.add({ ...owner, signal: one.signal, body: one.body }, () => undefined);
  transcoder.finish(({ table, rows, block }) => blocks.push({ table, rows, block: Buffer.from(block) }));
  return blocks;
}

/** What ClickHouse pays for 100,000 transcoded rows of each kind, with every index and view of the schema. */
export async function insertReport(): Promise<string[]> {
  const engine = await Engine.open();
  const target = { database: DATABASE };
  for (const sql of bootstrapStatements(target)) engine.execute(sql);
  for (const migration of MIGRATIONS) for (const sql of migration.statements(target)) engine.execute(sql);
  const lines: string[] = [];
  for (const one of [spansExport(ROWS), logsExport(ROWS), metricsExport(ROWS)]) {
    for (const { table, rows, block } of blocksOf(one)) lines.push(insertLine(engine, table, rows, block));
  }
  engine.close();
  return lines;
}
