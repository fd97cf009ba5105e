import type { Engine } from '@weir/testkit';
import { cpuMs } from './measure.ts';

interface TableSize {
  readonly table: string;
  readonly rows: number;
  readonly parts: number;
}

const PARTS = "FROM system.parts WHERE database = 'weir' AND active";

/** What the merge of all that was inserted costs each table, and what a row takes on disk then. */
export function mergeReport(engine: Engine): string[] {
  const tables = engine.select<TableSize>(
    `SELECT table, toUInt32(sum(rows)) AS rows, toUInt32(count()) AS parts ${PARTS} AND table LIKE 'otel%' GROUP BY table ORDER BY table`,
  );
  engine.execute('SYSTEM START MERGES');
  return tables.map(({ table, rows, parts }) => {
    const ms = cpuMs(() => engine.execute(`OPTIMIZE TABLE weir.${table} FINAL`));
    const [size] = engine.select<{ bytes: number }>(
      `SELECT sum(bytes_on_disk) / sum(rows) AS bytes ${PARTS} AND table = '${table}'`,
    );
    const perMillion = ((ms / rows) * 1_000).toFixed(3);
    return `${table}: ${parts} parts merged at ${perMillion} CPU s per million rows, ${(size?.bytes ?? 0).toFixed(0)} bytes a row on disk`;
  });
}
