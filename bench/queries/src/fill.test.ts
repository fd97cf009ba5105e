import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { Database } from './database.ts';
import { fill, type InsertCosts } from './fill.ts';
import { type RowsShape, usualStartNs } from './rows.ts';
import { SCHEMAS } from './schemas.ts';

const ROWS = 8_000;
/** The engine is many times slower on a machine that does other work. */
const WAIT_MS = 180_000;
const shape: RowsShape = {
  rows: ROWS,
  tenants: 5,
  services: 40,
  hours: 6,
  seed: 7,
  granuleRows: 256,
  oneRetention: false,
  startNs: usualStartNs(Date.now()),
};
const quiet = () => undefined;

test(
  'a fill that was cut goes on where its tables end, and no row comes twice',
  () => {
    const place = mkdtempSync(join(tmpdir(), 'weir-queries-cut-'));
    const two = ['weir', 'contrib-0.149'].map((name) => SCHEMAS.find((one) => one.name === name)!);
    const tables = new Database(place, 1);
    const costs: InsertCosts[] = [];
    const insert = tables.insert.bind(tables);
    // The source of the spans, and the first schema's spans; then it is cut.
    let left = 2;
    tables.insert = (sql) => {
      if (left-- === 0) throw new Error('cut');
      return insert(sql);
    };
    const keep = (one: InsertCosts) => void costs.push(one);
    expect(() => fill(tables, two, shape, quiet, keep)).toThrow('cut');
    const done = fill(tables, two, shape, quiet, keep, costs.at(-1)!);
    const rows = done.map(({ table, rows }) => [table, rows]);
    expect(rows.filter(([table]) => table !== 'otel_traces_trace_id_ts')).toEqual([
      ['otel_traces', ROWS],
      ['otel_logs', ROWS],
      ['otel_traces', ROWS],
      ['otel_logs', ROWS],
    ]);
    expect(() => fill(tables, two, { ...shape, rows: ROWS / 2 }, quiet, keep, {})).toThrow(/has 8000 rows/);
    tables.close();
    rmSync(place, { recursive: true, force: true });
  },
  WAIT_MS,
);
