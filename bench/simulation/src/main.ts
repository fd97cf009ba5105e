import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { readCommandLine, wrongUsage } from '@weir/testkit';
import { isBad, runSeeds } from './campaign.ts';
import { RULES, type Rule } from './rules.ts';
import { type Verdict, World } from './world.ts';

const HELP = `A seeded simulation of the delivery protocol, made of the services' own code.

  npm run simulate -- --seeds 20000 --from 1
  npm run simulate -- --without gap
  npm run simulate -- --trace 42

  --seeds N      how many seeds (default 2000)
  --from N       the first (default 1)
  --without RULE with one rule switched off: ${RULES.join(', ')}
  --trace SEED   one seed, with all that happens in it

Exit status: 0 nothing lost or doubled, 1 something was, 2 wrong usage.
`;

const LINE_EVERY = 1_000;
const SEEDS_A_PROCESS = 4_000;
const print = (text: string) => process.stdout.write(`${text}\n`);

async function main(): Promise<number> {
  const values = readCommandLine(
    {
      seeds: { type: 'string', default: '2000' },
      from: { type: 'string', default: '1' },
      without: { type: 'string' },
      trace: { type: 'string' },
    },
    HELP,
  );
  const [seeds, from, traced] = [values.seeds, values.from, values.trace ?? '1'].map(Number);
  const rule = RULES.find((known) => known === values.without);
  if (![seeds, from, traced].every(Number.isSafeInteger)) wrongUsage('--seeds, --from and --trace are whole numbers');
  if (values.without !== undefined && !rule) wrongUsage(`--without names no rule: ${values.without}`);
  if (values.trace !== undefined) {
    const verdict = await new World(traced!, { trace: print }).run();
    print(JSON.stringify(verdict));
    return isBad(verdict) ? 1 : 0;
  }
  return seeds! > SEEDS_A_PROCESS ? inParts(from!, seeds!, rule) : campaign(from!, seeds!, rule);
}

/** A killed process keeps what it waits for, for as long as this one lives: many seeds are run by several processes. */
function inParts(from: number, seeds: number, rule: Rule | undefined): number {
  const own = fileURLToPath(import.meta.url);
  let status = 0;
  for (let at = from; at < from + seeds; at += SEEDS_A_PROCESS) {
    const count = Math.min(SEEDS_A_PROCESS, from + seeds - at);
    const args = [
      own,
      '--from',
      String(at),
      '--seeds',
      String(count),
      ...(rule === undefined ? [] : ['--without', rule]),
    ];
    const part = spawnSync(process.execPath, args, { stdio: 'inherit' });
    status = Math.max(status, part.status ?? 1);
  }
  return status;
}

async function campaign(from: number, seeds: number, rule: Rule | undefined): Promise<number> {
  const onSeed = (seed: number, verdict: Verdict) => {
    if (isBad(verdict)) print(`seed ${seed}: ${JSON.stringify(verdict)}`);
    if ((seed - from + 1) % LINE_EVERY === 0) print(`${seed - from + 1} of ${seeds}`);
  };
  const { bad, ...sum } = await runSeeds({ from, seeds, without: rule, onSeed });
  const words = Object.entries(sum).map(([name, count]) => `${name} ${count.toLocaleString('en-US')}`);
  print(`${rule === undefined ? 'all rules' : `without ${rule}`}: ${words.join(', ')}, bad seeds ${bad.length}`);
  return bad.length > 0 ? 1 : 0;
}

process.exit(await main());
