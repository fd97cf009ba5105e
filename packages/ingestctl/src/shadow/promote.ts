import { type ClickHouse, onCluster, tableName } from '@weir/clickhouse';
import { faultPoint } from '@weir/pipeline';
import type { TableName } from '@weir/records';
import { agreed } from '../agreed.ts';
import type { Context } from '../context.ts';
import { longSignal } from '../long-signal.ts';
import { ReplayJournal, type ReplayState } from '../replay/journal.ts';
import { shadowTable } from '../replay/plan.ts';
import { STALE } from '../replay/shadow-tables.ts';
import { type Compared, countDifference, printDifference, ready, targetOf } from './compare.ts';
import { type Chunk, Difference, piecesOf } from './difference.ts';

/** What a promotion does to a live table. */
interface Totals {
  readonly replaced: number;
  readonly inserted: number;
  /** Rows that only live has, or that cannot be told apart from those: they are left as they are. */
  readonly kept: number;
}

/**
 * Replaces live rows that the shadow has otherwise, and inserts those that live lacks, after showing how many. Safe to run
 * twice, side by side, and again after it was killed. Status 1 where the operator says no, or rows are still missing.
 */
export async function promote(context: Context, id: string, options: { readonly yes?: boolean }): Promise<number> {
  const signal = longSignal(context);
  const clickhouse = context.clickhouse();
  const state = await ready(context, clickhouse, id, signal);
  const before = await countDifference(context, clickhouse, state, signal);
  const totals = totalsOf(before);
  show(context, before, totals);
  if (totals.inserted === 0) {
    // One that was killed after its last insert: its round is over, and so are the tokens of it.
    await new ReplayJournal(clickhouse, context.database).told(id, 'promoted', totals, signal);
    if (context.options.json === true) context.outside.out(`${JSON.stringify({ id, ...totals })}\n`);
    return 0;
  }
  if (context.options.json !== true) context.outside.out(`${REDRIVEN}\n`);
  if (!(await agreed(context, options.yes, 'Change the live tables?'))) return 1;
  await carryOut(context, clickhouse, state, before, signal);
  const after = totalsOf(await countDifference(context, clickhouse, state, signal));
  const isWhole = after.inserted === 0;
  if (isWhole) await new ReplayJournal(clickhouse, context.database).told(id, 'promoted', totals, signal);
  if (context.options.json === true)
    context.outside.out(`${JSON.stringify({ id, ...totals, left: after.inserted })}\n`);
  else if (isWhole) context.outside.out(`promoted ${id}\n`);
  else context.outside.out(`${after.inserted} rows are still missing: run it again\n`);
  return isWhole ? 0 : 1;
}

/** Neither command looks at what the other has done. */
const REDRIVEN =
  'Dead letters of this window whose items are inserted here must be purged, not redriven, and none may have been redriven before: they would be there twice.';

function totalsOf({ counted }: Compared): Totals {
  const sum = (of: (one: Compared['counted'][number]) => number) => counted.reduce((total, one) => total + of(one), 0);
  return {
    replaced: sum(({ replaceable }) => replaceable),
    inserted: sum(({ fillable }) => fillable),
    kept: sum(({ different, onlyLive, replaceable }) => different + onlyLive - replaceable),
  };
}

function show(context: Context, before: Compared, { replaced, inserted, kept }: Totals): void {
  if (context.options.json === true) return;
  if (before.counted.length > 0) printDifference(context, before);
  const lines = [
    `live rows to be replaced: ${replaced}`,
    `rows to be inserted, those in their place among them: ${inserted}`,
  ];
  if (kept > 0)
    lines.push(`live rows that stay as they are, of records that have more of them than the shadow: ${kept}`);
  context.outside.out(`${lines.join('\n')}\n`);
}

async function carryOut(
  context: Context,
  clickhouse: ClickHouse,
  { plan, promotions }: ReplayState,
  { chunks }: Compared,
  signal: AbortSignal,
): Promise<void> {
  const target = targetOf(context);
  const engine = target.cluster === undefined ? 'MergeTree' : 'ReplicatedMergeTree';
  await clickhouse.command(
    `CREATE TABLE IF NOT EXISTS ${tableName(target, shadowTable(plan.id, STALE))}${onCluster(target)} (TableName LowCardinality(String), RawPosition UInt64, Hash UInt64) ENGINE = ${engine}() ORDER BY (TableName, RawPosition, Hash)`,
    signal,
  );
  for (const [table, differing] of chunks) {
    const difference = new Difference(target, plan, table);
    for (const chunk of await pieces(clickhouse, difference, differing, signal)) {
      signal.throwIfAborted();
      await clickhouse.command(difference.markStale(table, chunk), signal);
      faultPoint('promote.after_mark');
      if (await isMarked(clickhouse, difference, table, signal)) {
        await clickhouse.command(difference.deleteStale(table, chunk), signal);
        faultPoint('promote.after_delete');
      }
      // A round that came to its end leaves tokens that a later one must not meet.
      const token = `${plan.id}:promote-${promotions}:${table}:${chunk.partition}:${chunk.first}-${chunk.last}`;
      await clickhouse.command(difference.fill(table, chunk, token), signal);
      faultPoint('promote.after_fill');
    }
  }
}

async function pieces(
  clickhouse: ClickHouse,
  difference: Difference,
  chunks: readonly Chunk[],
  signal: AbortSignal,
): Promise<readonly Chunk[]> {
  const found: Chunk[] = [];
  for (const chunk of chunks) {
    const records = await clickhouse.query<{ position: string; bytes: string }>(
      difference.recordBytes(chunk),
      {},
      signal,
    );
    found.push(...piecesOf(chunk, records));
  }
  return found;
}

async function isMarked(
  clickhouse: ClickHouse,
  { stale }: Difference,
  table: TableName,
  signal: AbortSignal,
): Promise<boolean> {
  const sql = `SELECT 1 AS n FROM ${stale} WHERE TableName = {table: String} LIMIT 1`;
  return (await clickhouse.query(sql, { table }, signal)).length > 0;
}
