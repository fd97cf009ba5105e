import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { ROOT } from '@weir/local';
import { currentCommit, readCommandLine, TestStack, wrongUsage } from '@weir/testkit';
import { faultsOf } from './judge.ts';
import { renderSoak } from './report.ts';
import { type Round, runSoak, SERVICES } from './soak.ts';

const HELP = `Honest and hostile clients together on the running stack, for a long time.

  npm run soak                              20 minutes
  npm run soak -- --minutes 2 --rate 2000

  --minutes M   how long (default 20)
  --rate R      spans, log records and data points a second of the honest clients (default 3000)

The result is written to bench/results/soak.md.
Exit status: 0 all as promised, 1 not, 2 wrong usage.
`;

const ROUND_S = 60;
const print = (text: string) => process.stdout.write(`${text}\n`);

async function main(): Promise<number> {
  const values = readCommandLine(
    { minutes: { type: 'string', default: '20' }, rate: { type: 'string', default: '3000' } },
    HELP,
  );
  const [minutes, rate] = [Number(values.minutes), Number(values.rate)];
  if (!(minutes >= 1) || !(rate > 0)) wrongUsage('--minutes is 1 or more, --rate more than 0');
  const options = { rounds: Math.round((minutes * 60) / ROUND_S), roundS: ROUND_S, rate };
  const dataDir = mkdtempSync(join(tmpdir(), 'weir-soak-'));
  const stack = await TestStack.start(dataDir);
  try {
    const result = await runSoak(stack, options, printRound);
    const circumstances = { commit: currentCommit(), cores: availableParallelism() };
    writeFileSync(join(ROOT, 'bench/results/soak.md'), renderSoak(result, options, circumstances));
    const faults = faultsOf(result);
    for (const fault of faults) print(fault);
    return faults.length === 0 ? 0 : 1;
  } finally {
    await stack.stop();
    rmSync(dataDir, { recursive: true, force: true });
  }
}

function printRound(round: Round): void {
  const memory = SERVICES.map((name) => `${name} ${round.memory[name]?.toFixed(0)}`).join(', ');
  const { minute, accepted, refused, p99Ms, lost, doubled } = round;
  print(
    `minute ${minute.toFixed(0)}: accepted ${accepted}, refused ${JSON.stringify(refused)}, p99 ${p99Ms.toFixed(0)} ms, lost ${lost}, doubled ${doubled}; MiB: ${memory}`,
  );
}

process.exit(await main());
