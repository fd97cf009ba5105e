import type { Command } from 'commander';
import type { Act } from '../action.ts';
import { collect } from '../options.ts';
import { type RolloutOptions, type RolloutSetOptions, rolloutBack, rolloutSet, rolloutStatus } from './rollout.ts';

/** Registers the commands about shifted tenants. */
export function addRollout(program: Command, act: Act): void {
  const group = program
    .command('rollout')
    .description('Tenants that are shifted to another track, at Envoy.')
    .addHelpText('after', '\nExample:\n  ingestctl rollout set acme --to v2 --percent 25');
  writing(group.command('set <TENANT>'))
    .description('Sends exports of a tenant to another track, but those that say themselves where they go. No restart.')
    .requiredOption('--to <TRACK>', 'the track')
    .option('--percent <N>', 'so many of a hundred exports; 0: back', '100')
    .addHelpText('after', '\nExample:\n  ingestctl rollout set acme --to v2 --percent 25 --yes')
    .action((tenant: string, options: RolloutSetOptions) =>
      act((context, signal) => rolloutSet(context, tenant, options, signal)),
    );
  writing(group.command('back <TENANT>'))
    .description('Sends all exports of a tenant where all go again.')
    .addHelpText('after', '\nExample:\n  ingestctl rollout back acme')
    .action((tenant: string, options: RolloutOptions) => act((context) => rolloutBack(context, tenant, options)));
  at(group.command('status'))
    .description('Shows who is shifted, and whether Envoy has it so; status 1 where not, or where none was asked.')
    .addHelpText('after', '\nExample:\n  ingestctl rollout status --admin http://127.0.0.1:9901')
    .action((options: RolloutOptions) => act((context, signal) => rolloutStatus(context, options, signal)));
}

function at(command: Command): Command {
  return command
    .option('--routes <FILE>', "Envoy's file of routes (default: WEIR_ENVOY_ROUTES, or that of a local stack)")
    .option('--admin <URL>', 'admin endpoint of an Envoy that follows the file, once for each', collect, []);
}

function writing(command: Command): Command {
  return at(command)
    .option('--envoy <FILE>', "Envoy's binary, which looks at the routes before they are written")
    .option('--output <FORM>', 'configmap: print a manifest (YAML) for kubectl apply, and write nothing')
    .option('--dry-run', 'show who would be shifted, write nothing')
    .option('--yes', 'do not ask');
}
