import { appendFileSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Command, CommanderError } from 'commander';
import { ProbeMeter } from './probe.ts';
import { type LoadOptions, runLoad } from './run-load.ts';
import { progressLine, summaryText } from './summary.ts';
import { Journal, verify } from './verify.ts';

interface LocalFile {
  readonly otlp: { readonly grpc: string; readonly http: string };
  readonly clickhouse: { readonly url: string; readonly database: string };
  readonly ca: string;
  readonly tenants: Readonly<Record<string, { readonly key: string }>>;
}

const VERIFY_MS = 60_000;

function program(): Command {
  return new Command('load')
    .description('Many OTLP producers against a local stack, open loop.')
    .option('--data-dir <DIR>', 'data directory of the stack', '.weir')
    .option('--producers <N>', 'producers', '200')
    .option('--rate <N>', 'items a second of each producer', '50')
    .option('--seconds <N>', 'how long', '30')
    .option('--items-per-export <N>', 'items of an export', '50')
    .option('--transport <KIND>', 'grpc, http or mixed', 'mixed')
    .option('--signal <KIND>', 'traces, logs, metrics or mixed', 'traces')
    .option('--errors <SHARE>', 'share of items with an error', '0.05')
    .option('--tenants <LIST>', 'NAME=WEIGHT with commas between; keys come from the stack', 'demo=1')
    .option('--connections <N>', 'connections of each transport', '8')
    .option('--outstanding <N>', 'exports under way at most', '2000')
    .option('--gzip', 'compress over HTTP')
    .option('--journal <FILE>', "append each export's fate, a JSON line each")
    .option('--verify', 'ask ClickHouse: all accepted items stored, each once; exit 1 if not')
    .option('--json', 'print the summary as JSON')
    .addHelpText('after', '\nExample:\n  npm run load -- --producers 200 --rate 50 --seconds 30 --verify')
    .exitOverride();
}

function choose<T extends string>(text: string, all: readonly T[]): T[] {
  if (text === 'mixed') return [...all];
  const found = all.filter((one) => one === text);
  if (found.length === 0) throw new Error(`there is ${all.join(', ')} and mixed`);
  return found;
}

function readOptions(given: Record<string, string>, local: LocalFile): LoadOptions {
  const number = (name: string): number => {
    const value = Number(given[name]);
    if (!Number.isFinite(value) || value < 0) throw new Error(`${name} must be a number`);
    return value;
  };
  const tenants = given.tenants!.split(',').map((part) => {
    const [name = '', weight = '1'] = part.split('=');
    const key = local.tenants[name]?.key;
    if (key === undefined) throw new Error(`the stack has no key for the tenant ${name}`);
    return { name, key, weight: Number(weight) };
  });
  return {
    target: { ...local.otlp, ca: readFileSync(local.ca) },
    tenants,
    producers: number('producers'),
    rate: number('rate'),
    seconds: number('seconds'),
    itemsPerExport: number('itemsPerExport'),
    transports: choose(given.transport!, ['http', 'grpc'] as const),
    signals: choose(given.signal!, ['traces', 'logs', 'metrics'] as const),
    errors: number('errors'),
    gzip: Boolean(given.gzip),
    connections: number('connections'),
    outstandingMax: number('outstanding'),
  };
}

async function main(): Promise<number> {
  const command = program();
  try {
    command.parse();
  } catch (error) {
    return error instanceof CommanderError && error.exitCode === 0 ? 0 : 2;
  }
  const given = command.opts<Record<string, string>>();
  const local = JSON.parse(readFileSync(join(given.dataDir!, 'local.json'), 'utf8')) as LocalFile;
  const options = readOptions(given, local);
  const journal = new Journal();
  const probes = new ProbeMeter(local.clickhouse, options);
  const live = process.stdout.isTTY === true && given.json === undefined;
  probes.start();
  const result = await runLoad(options, {
    onFate: (fate) => {
      journal.add(fate);
      if (given.journal !== undefined) appendFileSync(given.journal, `${JSON.stringify(fate)}\n`);
    },
    onProgress: (totals, seconds) => {
      if (live) process.stdout.write(`\r${progressLine(totals, seconds)}`);
    },
  });
  const queryable = await probes.stop();
  const verdict =
    given.verify === undefined ? undefined : await verify(local.clickhouse, result.run, journal, VERIFY_MS);
  process.stdout.write(summaryText(result, queryable, verdict, given.json !== undefined));
  return verdict !== undefined && verdict.lost + verdict.doubled + verdict.alien > 0 ? 1 : 0;
}

try {
  process.exitCode = await main();
} catch (error) {
  process.stderr.write(`load: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 2;
}
