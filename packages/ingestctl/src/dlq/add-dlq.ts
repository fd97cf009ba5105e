import type { Command } from 'commander';
import type { Act } from '../action.ts';
import type { Outside } from '../context.ts';
import { longSignal } from '../long-signal.ts';
import { collect, trackOf } from '../options.ts';
import { TIME_FORMS } from '../times.ts';
import { type DlqListOptions, dlqList } from './dlq-list.ts';
import { type DlqPurgeOptions, dlqPurge } from './dlq-purge.ts';
import { type DlqRedriveOptions, dlqRedrive } from './dlq-redrive.ts';
import { dlqShow } from './dlq-show.ts';

/** Registers the commands about dead letters. */
export function addDlq(program: Command, act: Act, env: Outside['env']): void {
  const group = program
    .command('dlq')
    .description('Dead letters: what could not be stored, in weir.dlq.')
    .addHelpText('after', '\nExample:\n  ingestctl dlq list --tenant acme');
  filtered(group.command('list'))
    .description('Counts the letters by reason, tenant and signal.')
    .option('--all', 'those that were redriven or purged, too')
    .option('--letters', 'list them one by one, with their ids')
    .option('--limit <N>', 'list at most so many', '100')
    .addHelpText('after', '\nExample:\n  ingestctl dlq list --tenant acme --from 2h --letters')
    .action((options: DlqListOptions) => act((context, signal) => dlqList(context, options, signal)));
  group
    .command('show <ID>')
    .description('Shows one letter, decoded as OTLP/JSON, with its reason and where it came from.')
    .addHelpText('after', '\nExample:\n  ingestctl dlq show 0:1234')
    .action((id: string) => act((context, signal) => dlqShow(context, id, signal)));
  filtered(group.command('redrive'))
    .description(
      'Sends letters through the pipe again, each once; shows first what it will send. Killed, it goes on where it is started again.',
    )
    .option('--track <TRACK>', 'track to send them to', trackOf(env))
    .option('--rate <MIB>', 'at most so many MiB of letters a second', '4')
    .option('--dry-run', 'show what would be sent, send nothing')
    .option('--yes', 'send it')
    .addHelpText('after', '\nExample:\n  ingestctl dlq redrive --reason too_many_attributes --tenant acme --yes')
    // It takes as long as it takes; it may be ended at any time.
    .action((options: DlqRedriveOptions) => act((context) => dlqRedrive(context, options, longSignal(context))));
  filtered(group.command('purge'))
    .description(
      'Marks letters as done with: they are neither listed nor redriven. Kafka lets go of their bytes only where all older letters are done with.',
    )
    .option('--all', 'all letters')
    .option('--dry-run', 'show what would be purged, purge nothing')
    .option('--yes', 'purge it')
    .addHelpText('after', '\nExample:\n  ingestctl dlq purge --reason invalid_trace_id --to 7d --yes')
    .action((options: DlqPurgeOptions) => act((context) => dlqPurge(context, options, longSignal(context))));
}

function filtered(command: Command): Command {
  return command
    .option('--reason <REASON>', 'of this reason; may be given again', collect, [])
    .option('--tenant <NAME>', 'of this tenant; may be given again', collect, [])
    .option('--signal <SIGNAL>', 'traces, logs or metrics; may be given again', collect, [])
    .option('--id <ID>', 'this letter, by its id or key; may be given again', collect, [])
    .option('--from <TIME>', `first time at which they were given up, inclusive: ${TIME_FORMS}`)
    .option('--to <TIME>', 'last such time, inclusive');
}
