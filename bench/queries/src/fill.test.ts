import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { Database } from './database.ts';
import { fill, type InsertCosts } from './fill.ts';
import { SCHEMAS } from './schemas.ts';
import { SMALL, WAIT_MS } from './small-rows.ts';

const quiet = () => undefined;
const weir = SCHEMAS.filter(({ name }) => name === 'weir');

/** Work on tables of its own, which are gone after it. */
function withTables(work: (tables: Database) => void): void {
  const place = mkdtempSync(join(tmpdir(), 'weir-queries-fill-'));
  const tables = new Database(place, 1);
  try {
    work(tables);
  } finally {
    tables.close();
    rmSync(place, { recursive: true, force: true });
  }
}

test(
  'a fill that was cut goes on where its tables end, and no row comes twice',
  () =>
    withTables((tables) => {
      const two = ['weir', 'contrib-0.149'].map((name) => SCHEMAS.find((one) => one.name === name)!);
      const costs: InsertCosts[] = [];
      const insert = tables.insert.bind(tables);
      // The source of the spans, and the first schema's spans; then it is cut.
      let left = 2;
      tables.insert = (sql) => {
        if (left-- === 0) throw new Error('cut');
        return insert(sql);
      };
      const keep = (one: InsertCosts) => void costs.push(one);
      expect(() => fill(tables, two, SMALL, quiet, { onPiece: keep })).toThrow('cut');
      const done = fill(tables, two, SMALL, quiet, { onPiece: keep, begun: costs.at(-1) });
      const rows = done.map(({ table, rows }) => [table, rows]);
      expect(rows.filter(([table]) => table !== 'otel_traces_trace_id_ts')).toEqual([
        ['otel_traces', SMALL.rows],
        ['otel_logs', SMALL.rows],
        ['otel_traces', SMALL.rows],
        ['otel_logs', SMALL.rows],
      ]);
      expect(() => fill(tables, two, { ...SMALL, rows: SMALL.rows / 2 }, quiet, { begun: {} })).toThrow(
        /has 8000 rows/,
      );
    }),
  WAIT_MS,
);

test(
  'with merges as they come there are fewer parts than inserts, no row more or less, and nothing is merged after them',
  () =>
    withTables((tables) => {
      const done = fill(tables, weir, { ...SMALL, oneRetention: true }, quiet, { insertRows: 500 });
      const [spans] = done;
      expect(spans).toMatchObject({ rows: SMALL.rows, table: 'otel_traces' });
      expect(spans).not.toHaveProperty('mergeCpuS');
      expect(spans!.parts).toBeLessThan(SMALL.rows / 500);
      const more = 'INSERT INTO weir.otel_traces SELECT * FROM weir.otel_traces LIMIT 1';
      for (let times = 0; times < 10; times++) tables.insert(more);
      expect(() => tables.execute('OPTIMIZE TABLE weir.otel_traces FINAL')).toThrow(/cancelled merging/i);
      const [after] = tables.rows<{ n: string }>(
        "SELECT count() AS n FROM system.parts WHERE active AND database = 'weir' AND table = 'otel_traces'",
      );
      expect(Number(after!.n)).toBe(spans!.parts + 10);
      // Asked again later they are as they are then.
      const [again] = fill(tables, weir, { ...SMALL, oneRetention: true }, quiet, { insertRows: 500, begun: {} });
      expect(again).toMatchObject({ rows: SMALL.rows + 10, parts: spans!.parts + 10 });
    }),
  WAIT_MS,
);

test(
  'by default nothing is merged before all is inserted',
  () =>
    withTables((tables) => {
      const insert = tables.insert.bind(tables);
      let inserts = 0;
      tables.insert = (sql) => {
        const ms = insert(sql);
        const [, table] = /INTO (weir\.\w+)/.exec(sql) ?? [];
        if (table === undefined) return ms;
        inserts++;
        expect(() => tables.execute(`OPTIMIZE TABLE ${table} FINAL`)).toThrow(/cancelled merging/i);
        return ms;
      };
      expect(fill(tables, weir, SMALL, quiet).map(({ parts }) => parts)).toEqual([3, 3, 3]);
      expect(inserts).toBe(2);
    }),
  WAIT_MS,
);
