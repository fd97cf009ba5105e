import type { Command } from 'commander';
import type { Act } from '../action.ts';
import type { Outside } from '../context.ts';
import { collect, trackOf } from '../options.ts';
import { RATE_HELP } from '../rate.ts';
import { TIME_FORMS } from '../times.ts';
import { type ReplayOptions, replay, resume } from './replay.ts';

const DEFAULT_RATE = '50000';
const HELP = `
Exports that were received from one time to the other (or whose offsets are from one to the other, both inclusive) go through
this program's transcoder once more, into shadow tables. The live tables, topics and groups are not touched.
What is only read (all of the window before it asks, and what is not of the tenants and signals) goes ten times as fast as --rate.
With --json a line each: {"event": "plan", …} before anything is written, {"event": "done", …} at the end.

Examples:
  ingestctl replay --shadow --from 2026-11-21T10:00:00Z --to 2026-11-21T10:10:00Z --dry-run
  ingestctl replay --shadow --from 120 --to 480 --partition 2 --tenant acme --signal metrics --yes
  ingestctl replay --shadow --from 2h --to 1h --rate max --json --yes
  ingestctl replay resume 20261121_101500_3fa9`;

export function addReplay(program: Command, act: Act, env: Outside['env']): void {
  const group = program
    .command('replay')
    .description('Makes the rows of a window of the raw log once more, into shadow tables.')
    .option('--shadow', 'write shadow tables; there is no other kind of replay')
    .option('--from <OFFSET|TIME>', `first offset, or time of receipt: ${TIME_FORMS}; inclusive`)
    .option('--to <OFFSET|TIME>', 'last offset, or time of receipt; inclusive')
    .option('--track <NAME>', 'track of the raw log', trackOf(env))
    .option('--partition <N>', 'of this partition only, once for each', collect, [])
    .option('--tenant <NAME>', 'of this tenant only, once for each', collect, [])
    .option('--signal <NAME>', 'traces, logs or metrics only, once for each', collect, [])
    .option('--rate <ITEMS>', RATE_HELP, DEFAULT_RATE)
    .option('--dry-run', 'show the plan, do nothing')
    .option('--yes', 'do not ask')
    .addHelpText('after', HELP)
    .action((options: ReplayOptions) => act((context) => replay(context, options)));
  group
    .command('resume <ID>')
    .description('Goes on with a replay that was interrupted; what is in the shadow stays, once.')
    .option('--rate <ITEMS>', RATE_HELP, DEFAULT_RATE)
    .addHelpText('after', '\nExample:\n  ingestctl replay resume 20261121_101500_3fa9 --rate 20000')
    .action((id: string) => {
      // An option of both is taken for that of the outer command, wherever it stands.
      const { rate } = group.opts<ReplayOptions>();
      return act((context) => resume(context, id, { rate }));
    });
}
