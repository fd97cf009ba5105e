import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ask } from './ask.ts';
import { Database } from './database.ts';
import { fill, type TableFill } from './fill.ts';
import { holds, renderReport } from './report.ts';
import { SCHEMAS } from './schemas.ts';
import { SMALL, WAIT_MS } from './small-rows.ts';

const schemas = ['weir', 'contrib-0.149', 'contrib-0.161'].map((name) => SCHEMAS.find((one) => one.name === name)!);
const quiet = () => undefined;

let dir: string;
let database: Database;
let fills: TableFill[];

beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'weir-queries-'));
  database = new Database(dir, 1);
  fills = fill(database, schemas, SMALL, quiet);
}, WAIT_MS);

afterAll(() => {
  database.close();
  rmSync(dir, { recursive: true, force: true });
});

test('every schema has the same rows', () => {
  const common: Record<string, string> = {
    otel_traces:
      'Timestamp, TraceId, SpanId, ParentSpanId, SpanName, ServiceName, SpanAttributes, Duration, StatusCode, `Events.Attributes`',
    otel_logs: 'Timestamp, TraceId, SpanId, SeverityNumber, ServiceName, Body, ScopeName, LogAttributes',
  };
  for (const [table, columns] of Object.entries(common)) {
    const sums = schemas.map(({ database: name }) =>
      database.rows(
        `SELECT count() AS n, sum(cityHash64(${columns}, mapFilter((k, v) -> k != 'tenant.id', ResourceAttributes))) AS sum FROM ${name}.${table}`,
      ),
    );
    expect(sums[0]).toMatchObject([{ n: String(SMALL.rows) }]);
    expect(sums[1]).toEqual(sums[0]);
    expect(sums[2]).toEqual(sums[0]);
  }
});

test('three retentions are three partitions of Weir, and one of the exporter', () => {
  const parts = fills.filter(({ table }) => table === 'otel_traces').map(({ parts }) => parts);
  expect(parts).toEqual([3, 1, 1]);
});

test("a row of the exporter's tables names the tenant that Weir's row is of", () => {
  const [weir, contrib] = ['TenantId', "ResourceAttributes['tenant.id']"].map((tenant, index) =>
    database.rows(
      `SELECT ${tenant} AS tenant, count() AS n FROM ${schemas[index]!.database}.otel_traces GROUP BY tenant ORDER BY tenant`,
    ),
  );
  expect(weir).toHaveLength(SMALL.tenants);
  expect(contrib).toEqual(weir);
});

test(
  'every question is answered, and the report shows each with its ratio',
  () => {
    const answers = ask(database, schemas, { shape: SMALL, rounds: 1 }, quiet);
    expect(answers).toHaveLength(7 * 2 * schemas.length);
    const report = renderReport({ shape: SMALL, engine: '1', threads: 1, rounds: 1, fills, answers }, 'weir');
    expect(report.match(/^\| .* \| (all|one) \|/gm)).toHaveLength(7 * 2 * 2);
    expect(report).not.toMatch(/NaN|undefined/);
  },
  WAIT_MS,
);

test(
  'schemas that answer differently stop the run',
  () => {
    database.execute(`ALTER TABLE ${schemas[1]!.database}.otel_logs DROP PARTITION ALL`);
    expect(() => ask(database, schemas.slice(0, 2), { shape: SMALL, rounds: 1 }, quiet)).toThrow(
      /logs with a rare word/,
    );
  },
  WAIT_MS,
);

test('the goal is 1.1 times with all tenants, and less than once with one', () => {
  const took = (wallMs: number) => ({ wallMs, cpuMs: 1, rows: 1, bytes: 1, compressedBytes: 1 });
  expect(holds(took(11), took(10), false)).toBe(true);
  expect(holds(took(11.1), took(10), false)).toBe(false);
  expect(holds(took(9.9), took(10), true)).toBe(true);
  expect(holds(took(10), took(10), true)).toBe(false);
});
