import type { Command } from 'commander';
import type { Act } from '../action.ts';
import type { Outside } from '../context.ts';
import { longSignal } from '../long-signal.ts';
import { collect, trackOf } from '../options.ts';
import { RATE_HELP } from '../rate.ts';
import { TIME_FORMS } from '../times.ts';
import { type DlqListOptions, dlqList } from './dlq-list.ts';
import { type DlqPurgeOptions, dlqPurge } from './dlq-purge.ts';
import { type DlqRedriveOptions, dlqRedrive } from './dlq-redrive.ts';
import { type DlqReleaseOptions, dlqRelease } from './dlq-release.ts';
import { dlqShow } from './dlq-show.ts';

const DEFAULT_RATE = '10000';
const LINES = '{"event": "plan", …} before anything is done, {"event": "done", …} at the end';
const REDRIVE_HELP = `
Letters go to partitions of their tenant, and wait while the pipe is full (weir.flow), as at an edge. Rows that ClickHouse refused go
into their table. With --json a line each: ${LINES}.

Example:
  ingestctl dlq redrive --reason too_many_attributes --tenant acme --yes`;
const PURGE_HELP = `
With --json a line each: ${LINES}.

Example:
  ingestctl dlq purge --reason invalid_trace_id --to 7d --yes`;
const RELEASE_HELP = `
What can be told is told first, as a redrive does. Of the others:
  --as waiting  they may be redriven or purged again; what had gone in nevertheless is stored twice if it is redriven
  --as sent     they are done with; what had not gone in is lost
Look for their rows before you choose: ingestctl dlq show KEY has the tenant, the time and what is in it. Letters that were sent together are
released together. With --json a line each: ${LINES}.

Examples:
  ingestctl dlq release --all --as waiting --dry-run
  ingestctl dlq release weir.raw.v1/3/1234/0 --as sent --yes`;

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
    .description(
      'Shows one letter with its reason and where it came from, decoded: an export as OTLP/JSON, rows column by column.',
    )
    .addHelpText('after', '\nExample:\n  ingestctl dlq show 0:1234')
    .action((id: string) => act((context, signal) => dlqShow(context, id, signal)));
  filtered(group.command('redrive'))
    .description(
      'Sends letters through the pipe again, each once; shows first what it will send. Killed, it goes on where it is started again.',
    )
    .option('--track <TRACK>', 'track to send them to (default: the one that each came from)')
    .option('--rate <ITEMS>', RATE_HELP, DEFAULT_RATE)
    .option('--dry-run', 'show what would be sent, send nothing')
    .option('--yes', 'do not ask')
    .addHelpText('after', REDRIVE_HELP)
    // It takes as long as it takes; it may be ended at any time.
    .action((options: DlqRedriveOptions) =>
      act((context) => dlqRedrive(context, options, trackOf(env), longSignal(context))),
    );
  filtered(group.command('purge'))
    .description(
      'Marks letters as done with: they are neither listed nor redriven. Kafka lets go of their bytes only where all older letters are done with.',
    )
    .option('--all', 'all letters')
    .option('--dry-run', 'show what would be purged, purge nothing')
    .option('--yes', 'do not ask')
    .addHelpText('after', PURGE_HELP)
    .action((options: DlqPurgeOptions) => act((context) => dlqPurge(context, options, longSignal(context))));
  group
    .command('release [ID...]')
    .description('Ends what redrives were cut off in, where it cannot be told any more whether letters were sent.')
    .option('--all', 'all such letters')
    .option('--as <STATE>', 'waiting or sent: what those are taken to be that cannot be told')
    .option('--dry-run', 'show which letters these are, change nothing')
    .option('--yes', 'do not ask')
    .addHelpText('after', RELEASE_HELP)
    .action((ids: string[], options: DlqReleaseOptions) =>
      act((context) => dlqRelease(context, ids, options, longSignal(context))),
    );
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
