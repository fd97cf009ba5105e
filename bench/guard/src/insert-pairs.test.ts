import { TABLE_COLUMNS } from '@weir/records';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type BenchExport, logsExport, metricsExport, spansExport } from './exports.ts';
import { openTables, sameRows } from './insert-pairs.ts';

let engine: Awaited<ReturnType<typeof openTables>>;

beforeAll(async () => {
  engine = await openTables();
});

afterAll(() => engine.close());

/** The gauge is in ms: the normalizer converts it and says so among its attributes, the plain way does not. */
const CONVERTED = { table: 'otel_metrics_gauge', columns: ['MetricUnit', 'Value', 'Attributes'] };

test.each<[string, () => BenchExport]>([
  ['spans', () => spansExport(200)],
  ['log records', () => logsExport(200)],
  ['data points', () => metricsExport(200)],
])('both ways store the same %s', (_, make) => {
  for (const { table, rows, native, json } of sameRows(engine, make(), 'plain')) {
    engine.execute(`INSERT INTO ${native}`);
    engine.execute(`INSERT INTO ${json}`);
    const except = table === CONVERTED.table ? CONVERTED.columns : [];
    const columns = TABLE_COLUMNS[table].filter(({ name }) => name !== 'TenantId' && !except.includes(name));
    const hash = `sum(cityHash64(${columns.map(({ name }) => `\`${name}\``).join(', ')}))`;
    const found = engine.select<{ n: number; sum: string }>(
      `SELECT toUInt32(count()) AS n, toString(${hash}) AS sum FROM weir.${table} GROUP BY TenantId ORDER BY TenantId`,
    );
    expect(found.map(({ n }) => n)).toEqual([rows, rows]);
    expect(found[0]!.sum).toBe(found[1]!.sum);
  }
});
