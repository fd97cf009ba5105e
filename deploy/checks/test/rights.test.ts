import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bootstrapStatements, MIGRATIONS } from '@weir/clickhouse';
import { afterAll, expect, test } from 'vitest';
import { REPOSITORY } from '../src/tool-cache.ts';

const page = readFileSync(join(REPOSITORY, 'docs/DEPLOYMENT.md'), 'utf8');
const grants = [...page.matchAll(/^(GRANT .+) TO weir_operator;$/gm)].map((match) => match[1]!);
const directory = mkdtempSync(join(tmpdir(), 'weir-rights-'));
const path = join(directory, 'data');
const target = { database: 'weir' };

afterAll(() => rmSync(directory, { recursive: true, force: true }));

/** What ClickHouse says to each statement: its message, or null. */
function runAs(rights: readonly string[] | undefined, statements: readonly string[]): Promise<(string | null)[]> {
  const child = spawn(process.execPath, [join(REPOSITORY, 'deploy/checks/src/run-with-grants.ts')], {
    stdio: ['pipe', 'pipe', 'inherit'],
    timeout: 60_000,
  });
  let out = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    out += text;
  });
  child.stdin.end(JSON.stringify({ path, statements, ...(rights === undefined ? {} : { grants: rights }) }));
  return new Promise((resolve, reject) => {
    child.once('close', (code) =>
      code === 0 ? resolve(JSON.parse(out)) : reject(new Error(`status ${code}: ${out}`)),
    );
  });
}

const SHADOW = 'weir.shadow_20261121_101500_3fa9_otel_logs';
const STALE = 'weir.shadow_20261121_101500_3fa9_stale';

/** Statements of the kinds that replay, compare, promote, drop and redrive send. */
const ALLOWED = [
  `CREATE TABLE IF NOT EXISTS ${SHADOW} AS weir.otel_logs`,
  `INSERT INTO ${SHADOW} SELECT * FROM weir.otel_logs`,
  "INSERT INTO weir.weir_replays (Replay, Event, Partition, First, Last, Detail) SELECT 'id', 'planned', 0, 0, 0, '{}' SETTINGS async_insert = 0",
  `SELECT RawPosition, cityHash64(Body) FROM weir.otel_logs UNION ALL SELECT RawPosition, cityHash64(Body) FROM ${SHADOW}`,
  "SELECT name, toString(total_rows) FROM system.tables WHERE database = 'weir' AND startsWith(name, 'shadow_')",
  "SELECT count() FROM system.parts WHERE active AND database = 'weir'",
  `CREATE TABLE IF NOT EXISTS ${STALE} (TableName LowCardinality(String), RawPosition UInt64, Hash UInt64) ENGINE = MergeTree ORDER BY RawPosition`,
  `INSERT INTO ${STALE} SELECT 'otel_logs', RawPosition, cityHash64(Body) FROM weir.otel_logs`,
  `DELETE FROM weir.otel_logs WHERE (RawPosition, cityHash64(Body)) IN (SELECT RawPosition, Hash FROM ${STALE}) SETTINGS lightweight_deletes_sync = 2, allow_nondeterministic_mutations = 1`,
  `INSERT INTO weir.otel_logs (TenantId, Body) SELECT TenantId, Body FROM ${SHADOW}`,
  `DROP TABLE IF EXISTS ${STALE} SYNC`,
  `DROP TABLE IF EXISTS ${SHADOW} SYNC`,
];

const DENIED = [
  'DROP TABLE weir.otel_logs SYNC',
  'TRUNCATE TABLE weir.otel_logs',
  "ALTER TABLE weir.otel_logs UPDATE Body = '' WHERE 1",
  'DELETE FROM weir.weir_usage WHERE 1',
  'CREATE TABLE weir.other (a UInt8) ENGINE = MergeTree ORDER BY a',
  'ALTER TABLE weir.otel_logs ADD COLUMN a UInt8',
];

test('the rights that DEPLOYMENT.md gives operators are enough for what ingestctl sends, each is needed, and no more is allowed', {
  timeout: 120_000,
}, async () => {
  expect(grants.length).toBeGreaterThan(2);
  const schema = [...bootstrapStatements(target), ...MIGRATIONS.flatMap(({ statements }) => statements(target))];
  const row = "INSERT INTO weir.otel_logs (TenantId, RetentionDays, ReceivedDay, Body) VALUES ('a', 30, today(), 'x')";
  expect(await runAs(undefined, [...schema, row])).toEqual([...schema, row].map(() => null));
  expect(await runAs(grants, ALLOWED)).toEqual(ALLOWED.map(() => null));
  for (const said of await runAs(grants, DENIED)) expect(said).toContain('Not enough privileges');
  for (const grant of grants) {
    const said = await runAs(
      grants.filter((each) => each !== grant),
      ALLOWED,
    );
    expect([grant, said.some((message) => message?.includes('Not enough privileges'))]).toEqual([grant, true]);
    await runAs(undefined, [`DROP TABLE IF EXISTS ${STALE} SYNC`, `DROP TABLE IF EXISTS ${SHADOW} SYNC`]);
  }
});
