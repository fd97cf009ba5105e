import type { Command } from 'commander';
import type { Act } from '../action.ts';
import { compare } from './compare.ts';
import { dropShadowOf, listShadows } from './list-shadows.ts';
import { promote } from './promote.ts';

const ID = '20261121_101500_3fa9';

export function addShadow(program: Command, act: Act): void {
  const group = program
    .command('shadow')
    .description('Shadow tables that replays have made.')
    .addHelpText('after', '\nExample:\n  ingestctl shadow list');
  group
    .command('list')
    .description('Lists them.')
    .addHelpText('after', '\nExample:\n  ingestctl shadow list')
    .action(() => act(listShadows));
  group
    .command('compare <ID>')
    .description('Shows what is only in live, only in the shadow, or different; status 1 where anything is.')
    .option('--examples <N>', 'rows to show of each table and tenant', '3')
    .addHelpText('after', `\nExample:\n  ingestctl shadow compare ${ID} --examples 10`)
    .action((id: string, options: { examples: string }) => act((context) => compare(context, id, options)));
  group
    .command('promote <ID>')
    .description('Replaces the live rows that are different and inserts those that are missing. Safe to run twice.')
    .option('--yes', 'do not ask')
    .addHelpText('after', `\nExample:\n  ingestctl shadow promote ${ID} --yes`)
    .action((id: string, options: { yes?: boolean }) => act((context) => promote(context, id, options)));
  group
    .command('drop <ID>')
    .description('Removes the shadow tables of a replay.')
    .option('--yes', 'do not ask')
    .addHelpText('after', `\nExample:\n  ingestctl shadow drop ${ID} --yes`)
    .action((id: string, options: { yes?: boolean }) => act((context) => dropShadowOf(context, id, options)));
}
