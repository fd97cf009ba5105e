import { DependencyError } from '@weir/pipeline';
import { Command, CommanderError } from 'commander';
import type { Act } from './action.ts';
import { type AuditOptions, audit } from './audit/audit.ts';
import { allCommands, type CommandNode, commandTree } from './completion/command-tree.ts';
import { addCompletion } from './completion/completion.ts';
import { showConfig } from './config.ts';
import { Context, type GlobalOptions, type Outside, UsageError } from './context.ts';
import { addDlq } from './dlq/add-dlq.ts';
import { keysCreate, keysList, keysRevoke, keysRotate } from './keys.ts';
import { lag } from './lag.ts';
import { collect, trackOf } from './options.ts';
import { printable } from './output.ts';
import { addReplay } from './replay/add-replay.ts';
import { addRollout } from './rollout/add-rollout.ts';
import { schemaApply, schemaStatus } from './schema.ts';
import { readConfigFile } from './settings/config-file.ts';
import { addShadow } from './shadow/add-shadow.ts';
import { type StatusOptions, status as showStatus } from './status.ts';
import { tenantsApply, tenantsList, tenantsShow } from './tenants.ts';
import { type TopicsOptions, topics } from './topics.ts';

/** Exit statuses: documented in `--help`. */
export const EXIT = { ok: 0, negative: 1, usage: 2, dependency: 3 } as const;

const TIMEOUT_MS = 60_000;
/** Of a group that does nothing itself. */
const HELP_OPTIONS = 1;

const EXIT_HELP = `
Examples:
  ingestctl status --watch
  ingestctl --config production.yaml lag --json
  ingestctl config

Exit status: 0 done, 1 the answer is no (or a tenants file has faults), 2 wrong usage, 3 a dependency did not answer.
With --json standard output is one JSON document, or a line of JSON each where the help of a command says so. Commands that change
much ask first: --yes is the answer where nobody can be asked.
Where Kafka and ClickHouse are, and how to get in, is looked for in the options above, in the environment (WEIR_KAFKA_…,
WEIR_CLICKHOUSE_…, as the services read it: docs/CONFIGURATION.md), in a configuration file (--config, WEIR_CONFIG, ./weir.yaml or
~/.config/weir/config.yaml: docs/INGESTCTL.md), and in local.json of a local stack, in this order; 'ingestctl config' shows what was
found where. Secrets may come from files: set NAME_FILE to the path instead of NAME. The track is that of WEIR_TRACK; topics have
the partitions of WEIR_KAFKA_PARTITIONS and the copies of WEIR_KAFKA_REPLICATION_FACTOR.`;

export interface Program {
  /** Runs one command line and returns its exit status. Never throws. */
  run(args: readonly string[]): Promise<number>;
}

/** The command line. */
export function createProgram(outside: Outside): Program {
  return {
    run: async (args) => {
      let status: number = EXIT.ok;
      try {
        const program = buildProgram(outside, defaultsOf(outside, args), async (action) => {
          const context = new Context(outside, program.opts<GlobalOptions>());
          try {
            status = await action(context, AbortSignal.timeout(TIMEOUT_MS));
          } finally {
            await context.close();
          }
        });
        await program.parseAsync([...args], { from: 'user' });
        return status;
      } catch (error) {
        return statusOf(error, outside);
      }
    },
  };
}

/**
 * The tree of commands.
 * @param env where their defaults come from
 * @param act carries out what a command is for
 */
export function buildProgram(outside: Outside, env: Outside['env'], act: Act): Command {
  const program = new Command('ingestctl');
  program
    .description('Operates a Weir pipe.')
    .version('0.1.0')
    .option('--brokers <LIST>', 'Kafka brokers, HOST:PORT with commas between')
    .option('--clickhouse <URL>', 'HTTP interface of ClickHouse')
    .option('--database <NAME>', 'database of the tables')
    .option('--cluster <NAME>', 'ClickHouse cluster: replicated tables, ON CLUSTER')
    .option('--config <FILE>', 'configuration file (default: ./weir.yaml, or weir/config.yaml of the user)')
    .option('--data-dir <DIR>', 'data directory of a local stack')
    .option('--json', 'print JSON')
    .addHelpText('after', EXIT_HELP)
    .configureOutput({ writeOut: outside.out, writeErr: outside.err })
    .exitOverride();
  addTopics(program, act, env);
  addLag(program, act, env);
  addAudit(program, act, env);
  addDlq(program, act, env);
  addReplay(program, act, env);
  addShadow(program, act);
  addSchema(program, act);
  addTenants(program, act);
  addKeys(program, act);
  addStatus(program, act, env);
  addRollout(program, act);
  addCompletion(program, outside);
  return program;
}

/** Why there is no such command line; undefined where there is. Carries nothing out. */
export async function commandFault(args: readonly string[]): Promise<string | undefined> {
  const nothing = () => undefined;
  const outside: Outside = {
    env: {},
    readFile: () => '',
    writeFile: nothing,
    out: nothing,
    err: nothing,
    terminal: false,
  };
  try {
    await buildProgram(outside, {}, async () => undefined).parseAsync([...args], { from: 'user' });
    return undefined;
  } catch (error) {
    if (error instanceof CommanderError) return error.message;
    throw error;
  }
}

/** Every command that does something: `replay resume`. */
export function commandPaths(): readonly string[] {
  const nothing = () => undefined;
  const outside = { env: {}, readFile: () => '', writeFile: nothing, out: nothing, err: nothing, terminal: false };
  // A group may do something itself.
  const isGroup = ({ commands, options }: CommandNode) => commands.length > 0 && options.length <= HELP_OPTIONS;
  return allCommands(commandTree(buildProgram(outside, {}, async () => undefined)))
    .filter((node) => node.path !== '' && !isGroup(node))
    .map(({ path }) => path.slice(1).replaceAll('/', ' '));
}

/** What the environment, or else the configuration file, says. A file that is of no use is told by the command itself. */
function defaultsOf(outside: Outside, args: readonly string[]): Outside['env'] {
  const at = args.indexOf('--config');
  const option = at >= 0 ? args[at + 1] : args.find((arg) => arg.startsWith('--config='))?.slice('--config='.length);
  try {
    const said = Object.entries(outside.env).filter(([, text]) => text);
    return { ...readConfigFile(outside, option)?.values, ...Object.fromEntries(said) };
  } catch (error) {
    if (error instanceof UsageError) return outside.env;
    throw error;
  }
}

function addTopics(program: Command, act: Act, env: Outside['env']): void {
  const group = program
    .command('topics')
    .description('Topics of Kafka.')
    .addHelpText('after', '\nExample:\n  ingestctl topics status');
  const add = (name: string, description: string, check: boolean) =>
    group
      .command(name)
      .description(description)
      .option('--tracks <LIST>', 'tracks to have topics for', trackOf(env))
      .option('--partitions <N>', 'partitions of each raw and rows topic', env.WEIR_KAFKA_PARTITIONS || '4')
      .option('--replication-factor <N>', 'copies of each partition', env.WEIR_KAFKA_REPLICATION_FACTOR || '1')
      .addHelpText(
        'after',
        `\nExample:\n  ingestctl topics ${name} --tracks v1,v2 --partitions 16 --replication-factor 3`,
      )
      .action((options: TopicsOptions) => act((context) => topics(context, options, check)));
  const about =
    'Creates and configures what is missing; takes nothing away, a longer retention neither. Safe to run twice.';
  add('apply', about, false)
    .option('--shorten', 'shorten a longer retention: Kafka drops what is older, read or not')
    .option('--recover', 'fill up logs whose end Kafka has lost; no service may run');
  const what = 'Shows which topics are there, whatever their settings, and whether Kafka has lost the end of one.';
  add('status', what, true);
}

function addLag(program: Command, act: Act, env: Outside['env']): void {
  program
    .command('lag')
    .description('Shows how far normalizers and sinks are behind.')
    .option('--tracks <LIST>', 'tracks to look at', trackOf(env))
    .addHelpText('after', '\nExample:\n  ingestctl lag --tracks v1,v2 --json')
    .action((options: { tracks: string }) => act((context) => lag(context, options)));
}

function addAudit(program: Command, act: Act, env: Outside['env']): void {
  program
    .command('audit')
    .description(
      "Prints a tenant's books for whole days (UTC) beside what the tables hold; status 1 where they do not balance.",
    )
    .requiredOption('--tenant <NAME>', 'the tenant')
    .option('--from <DAY>', 'first day, within the retention (default: --to, or today)')
    .option('--to <DAY>', 'last day, inclusive (default: today)')
    .option('--tracks <LIST>', 'tracks to count what is in flight of', trackOf(env))
    .addHelpText('after', '\nExample:\n  ingestctl audit --tenant acme --from 2026-11-01 --to 2026-11-07')
    .action((options: AuditOptions) => act((context, signal) => audit(context, options, signal)));
}

function addSchema(program: Command, act: Act): void {
  const group = program
    .command('schema')
    .description('Tables of ClickHouse.')
    .addHelpText('after', '\nExample:\n  ingestctl schema status');
  group
    .command('apply')
    .description('Brings the tables to the newest version. Safe to run twice and side by side.')
    .addHelpText('after', '\nExample:\n  ingestctl schema apply --clickhouse http://localhost:8123 --database weir')
    .action(() => act(schemaApply));
  group
    .command('status')
    .description('Shows which versions are applied.')
    .addHelpText('after', '\nExample:\n  ingestctl schema status --json')
    .action(() => act(schemaStatus));
}

function addTenants(program: Command, act: Act): void {
  const group = program
    .command('tenants')
    .description('Tenants, their keys and limits.')
    .addHelpText('after', '\nExample:\n  ingestctl tenants list');
  group
    .command('apply')
    .description('Loads tenants.yaml; every edge and normalizer follows within a second.')
    .requiredOption('-f, --file <FILE>', 'the file')
    .option('--dry-run', 'show what would change, change nothing')
    .option('--prune', 'remove tenants, and defaults, that the file does not have')
    .addHelpText('after', '\nExample:\n  ingestctl tenants apply -f tenants.yaml --dry-run')
    .action((options) => act((context, signal) => tenantsApply(context, options, signal)));
  group
    .command('list')
    .description('Lists the tenants with their limits.')
    .addHelpText('after', '\nExample:\n  ingestctl tenants list')
    .action(() => act(tenantsList));
  group
    .command('show <NAME>')
    .description('Shows what was written for a tenant.')
    .option('--effective', 'show what holds, defaults merged in')
    .addHelpText('after', '\nExample:\n  ingestctl tenants show acme --effective')
    .action((name: string, options) => act((context, signal) => tenantsShow(context, name, options, signal)));
}

function addKeys(program: Command, act: Act): void {
  const group = program
    .command('keys')
    .description('Keys of tenants.')
    .addHelpText('after', '\nExample:\n  ingestctl keys list');
  group
    .command('create')
    .description('Makes a key and the entry for tenants.yaml. Needs the pepper.')
    .addHelpText('after', '\nExample:\n  WEIR_KEY_PEPPER_FILE=.weir/pepper ingestctl keys create')
    .action(() => act(keysCreate));
  group
    .command('list')
    .description('Lists the keys that the edges know, by their public prefixes.')
    .option('--tenant <NAME>', 'of one tenant only')
    .addHelpText('after', '\nExample:\n  ingestctl keys list --tenant acme')
    .action((options) => act((context, signal) => keysList(context, options, signal)));
  group
    .command('rotate <TENANT>')
    .description('Gives a tenant one more key, in tenants.yaml and live; the others stay valid. Needs the pepper.')
    .requiredOption('-f, --file <FILE>', 'tenants.yaml; its comments stay')
    .addHelpText('after', '\nExample:\n  ingestctl keys rotate acme -f tenants.yaml')
    .action((tenant: string, options) => act((context, signal) => keysRotate(context, tenant, options, signal)));
  group
    .command('revoke <PREFIX>')
    .description('Revokes a key, in tenants.yaml and live: every edge refuses it within a second.')
    .requiredOption('-f, --file <FILE>', 'tenants.yaml; its comments stay')
    .addHelpText('after', '\nExample:\n  ingestctl keys revoke 0123abcd -f tenants.yaml')
    .action((prefix: string, options) => act((context, signal) => keysRevoke(context, prefix, options, signal)));
}

function addStatus(program: Command, act: Act, env: Outside['env']): void {
  program
    .command('status')
    .description('Shows the pipe, from the edges to ClickHouse, with rates and fill.')
    .option('--tracks <LIST>', 'tracks to look at', trackOf(env))
    .option('--admin <NAME=URL>', 'admin endpoint of a service, once for each process', collect, [])
    .option('--interval <SECONDS>', 'time that rates are measured over', '1')
    .option('--watch', 'show it again and again')
    .addHelpText(
      'after',
      '\nExamples:\n  ingestctl status --watch\n  ingestctl status --admin edge-1=http://10.0.0.1:9464 --admin sink-1=http://10.0.0.3:9464 --json',
    )
    .action((options: StatusOptions) => act((context) => showStatus(context, options)));
  program
    .command('config')
    .description('Shows where everything is taken to be, and where each value came from, without secrets.')
    .addHelpText('after', '\nExample:\n  WEIR_KAFKA_BROKERS=kafka:9092 ingestctl --config production.yaml config')
    .action(() => act(showConfig));
}

function statusOf(error: unknown, outside: Outside): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  const text = error instanceof Error ? error.message : String(error);
  outside.err(`ingestctl: ${printable(text.split('\n')[0] ?? '')}\n`);
  if (error instanceof UsageError) return EXIT.usage;
  return error instanceof DependencyError ? EXIT.dependency : EXIT.negative;
}
