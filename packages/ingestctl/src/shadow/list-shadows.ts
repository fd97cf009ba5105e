import { catchUp } from '@weir/clickhouse';
import { agreed, checkAskable } from '../agreed.ts';
import type { Context } from '../context.ts';
import { openDlq } from '../dlq/dlq-parts.ts';
import { longSignal } from '../long-signal.ts';
import { printRows } from '../output.ts';
import { patientClickHouse } from '../patient-clickhouse.ts';
import { Refused } from '../refused.ts';
import { ReplayJournal, type ReplayState } from '../replay/journal.ts';
import { shadowTable } from '../replay/plan.ts';
import { dropShadow } from '../replay/shadow-tables.ts';
import { targetOf } from './compare.ts';
import { PromotionTurn } from './promotion-turn.ts';

/** Lists the replays whose shadows are there, with their windows, rows and bytes. */
export async function listShadows(context: Context, signal: AbortSignal): Promise<number> {
  const clickhouse = context.clickhouse();
  const states = await new ReplayJournal(clickhouse, context.database).list(signal);
  const sizes = await clickhouse.query<{ name: string; rows: string; bytes: string }>(
    "SELECT name, toString(total_rows) AS rows, toString(total_bytes) AS bytes FROM system.tables WHERE database = {database: String} AND startsWith(name, 'shadow_')",
    { database: context.database },
    signal,
  );
  const rows = states.map((state) => {
    const { id, tables, partitions, track } = state.plan;
    const names = new Set(tables.map((table) => shadowTable(id, table)));
    const own = sizes.filter(({ name }) => names.has(name));
    const sum = (of: (one: { rows: string; bytes: string }) => string) =>
      own.reduce((total, one) => total + Number(of(one)), 0);
    const windows = partitions.map(({ partition, first, last }) => `${partition}:${first}-${last}`).join(' ');
    return [id, track, stateText(state), windows, sum((one) => one.rows), sum((one) => one.bytes)];
  });
  printRows(
    context.outside,
    context.options.json === true,
    ['id', 'track', 'state', 'partition:first-last', 'rows', 'bytes'],
    rows,
  );
  return 0;
}

function stateText({ isDone, promotions, isPartly, open }: ReplayState): string {
  if (open.length > 0) return 'promotion running or cut off';
  if (promotions > 0) return isPartly ? 'partly promoted' : 'promoted';
  return isDone ? 'complete' : 'not complete';
}

/**
 * Removes the shadow tables of a replay; the live ones stay as they are.
 * @throws Refused while a promotion is not at its end: rows that it has deleted from live are in the shadow only
 */
export async function dropShadowOf(context: Context, id: string, options: { readonly yes?: boolean }): Promise<number> {
  checkAskable(context, options.yes);
  const signal = longSignal(context);
  const clickhouse = patientClickHouse(context);
  const journal = new ReplayJournal(clickhouse, context.database);
  const { plan } = droppable(await journal.read(id, signal));
  const { journal: redrives } = await openDlq(context, signal);
  if (redrives.book.openPromotions().some(({ replay }) => replay === id)) {
    throw new Refused(`a promotion of it was cut off, and holds dead letters: ingestctl shadow promote ${id}`);
  }
  const tables = plan.tables.map((table) => shadowTable(id, table));
  if (context.options.json !== true) context.outside.out(`drops ${tables.join(', ')}\n`);
  if (!(await agreed(context, options.yes, 'Drop them?'))) return 1;
  await catchUp(clickhouse, targetOf(context), ['weir_replays'], signal);
  droppable(await journal.read(id, signal));
  // Whoever was killed before it changed anything has its turn still.
  const { turns } = redrives.book;
  await new PromotionTurn(journal, redrives, async () => undefined).end(id, turns.runsOf(id), signal);
  await dropShadow(clickhouse, targetOf(context), plan, signal);
  await journal.told(id, 'dropped', {}, signal);
  if (context.options.json === true) context.outside.out(`${JSON.stringify({ id, dropped: tables })}\n`);
  return 0;
}

/** @throws Refused while a promotion is not at its end */
function droppable(state: ReplayState): ReplayState {
  if (state.open.length === 0) return state;
  const { id } = state.plan;
  throw new Refused(
    `a promotion of it is running or was cut off, and live may lack rows that only the shadow has: ingestctl shadow promote ${id}`,
  );
}
