import { applySchema, schemaState } from '@weir/clickhouse';
import type { Context } from './context.ts';
import { printRows } from './output.ts';

function target(context: Context) {
  return { database: context.database, cluster: context.cluster };
}

/** Brings the tables to the newest version. */
export async function schemaApply(context: Context, signal: AbortSignal): Promise<number> {
  const applied = await applySchema(context.clickhouse(), target(context), signal);
  if (context.options.json === true) context.outside.out(`${JSON.stringify({ applied })}\n`);
  else if (applied.length === 0) context.outside.out('nothing to do: the schema is at its newest version\n');
  else context.outside.out(`applied ${applied.length === 1 ? 'version' : 'versions'} ${applied.join(', ')}\n`);
  return 0;
}

/** Shows which versions are applied. Status 1 where one is missing. */
export async function schemaStatus(context: Context, signal: AbortSignal): Promise<number> {
  const { migrations, newer } = await schemaState(context.clickhouse(), target(context), signal);
  const rows = [
    ...migrations.map(({ version, name, applied }) => [version, name, applied ? 'applied' : 'missing']),
    ...newer.map((version) => [version, '', 'applied by a newer program']),
  ];
  printRows(context.outside, context.options.json === true, ['version', 'name', 'state'], rows);
  return migrations.every(({ applied }) => applied) ? 0 : 1;
}
