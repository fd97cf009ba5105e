import type { Context } from '../context.ts';
import { printable, printRows } from '../output.ts';
import { emptiedText, type ReplayPlan, shadowTable, totalsOf } from './plan.ts';

const TENANTS_SHOWN = 8;

/**
 * Shows what a replay will read and write: the whole plan as a line of JSON, else a table and what it means.
 * @param isDry nothing comes of it: the id that it would have is nobody's
 */
export function printPlan(context: Context, plan: ReplayPlan, isDry = false): void {
  const { outside } = context;
  const tables = plan.tables.map((table) => shadowTable(isDry ? '<id>' : plan.id, table));
  if (context.options.json === true) {
    const shown = { event: 'plan', ...plan, ...(isDry ? { id: undefined } : {}) };
    outside.out(`${JSON.stringify({ ...shown, shadowTables: tables, totals: totalsOf(plan) })}\n`);
    return;
  }
  const headings = ['partition', 'first', 'last', 'first received at', 'last received at', 'records', 'items', 'bytes'];
  const rows = plan.partitions.map(({ partition, first, last, firstAt, lastAt, records, items, bytes }) => [
    partition,
    first,
    last,
    firstAt,
    lastAt,
    records,
    items,
    bytes,
  ]);
  printRows(outside, false, headings, rows);
  outside.out('first and last are offsets of the raw topic, both inclusive\n');
  for (const { partition, itemsByTenant, others } of plan.partitions) {
    const names = Object.entries(itemsByTenant).sort(([, a], [, b]) => b - a);
    const shown = names.slice(0, TENANTS_SHOWN).map(([tenant, items]) => `${tenant} ${items}`);
    const more = names.length > TENANTS_SHOWN ? `, and ${names.length - TENANTS_SHOWN} more` : '';
    const unread = others === 0 ? '' : `; ${others} records that are no exports`;
    outside.out(`partition ${partition}, items by tenant: ${printable(shown.join(', '))}${more}${unread}\n`);
  }
  if (plan.emptied !== undefined) outside.out(`${emptiedText(plan.emptied)}\n`);
  const { records, items, bytes } = totalsOf(plan);
  outside.out(`reads weir.raw.${plan.track} only: ${records} records, ${items} items, ${bytes} bytes decompressed\n`);
  outside.out(`${isDry ? 'would write' : 'writes'} ${tables.join(', ')} only\n`);
}
