import { writeFileSync } from 'node:fs';
import { availableParallelism, constants } from 'node:os';
import { join } from 'node:path';
import { ROOT } from '@weir/local';
import { currentCommit, readCommandLine, wrongUsage } from '@weir/testkit';
import { measureRate, searchPeak } from './peak.ts';
import { renderReport } from './report.ts';
import { hasRun, type KeptResult, type ResultFile, readResults, withRow, writeResults } from './result-file.ts';
import { ROWS } from './rows/all.ts';
import type { FaultRow } from './rows/row.ts';
import { isKept, runRow, type SeedResult } from './run-row.ts';
import { Stacks } from './stacks.ts';

const HELP = `Faults injected into the running stack under load.

  npm run faults -- --row sink-after-insert --seeds 10 --rate 20000
  npm run faults -- --row all --seeds 10 --share-stack --resume
  npm run faults -- --peak

  --row NAMES    rows, or parts of their names, with commas between; or all
  --seeds K      how often (default 3)
  --rate R       spans a second (default 10000)
  --seconds S    how long the load goes on at least once the fault strikes (default 2)
  --long         services are frozen for 60 s instead of 15 s
  --share-stack  rows with the same settings run on one stack, until one of them goes wrong
  --resume       rows that have as many results at that rate on this commit are left out
  --peak         looks for the highest rate that this machine bears, before any row
  --list         the rows

Results are kept in bench/results/faults.json and written to bench/results/faults.md.
Exit status: 0 nothing lost, doubled or refused for good, 1 something was or a row could not be run, 2 wrong usage.
`;

const RESULTS = join(ROOT, 'bench/results/faults.json');
const REPORT = join(ROOT, 'bench/results/faults.md');
const WARM_UP_RATE = 5_000;
const WARM_UP_S = 4;
const SIGNALLED = 128;
const print = (text: string) => process.stdout.write(`${text}\n`);

interface Wanted {
  readonly seeds: number;
  readonly rate: number;
  readonly seconds: number;
  readonly commit: string;
}

async function main(): Promise<number> {
  const values = readCommandLine(
    {
      row: { type: 'string' },
      seeds: { type: 'string', default: '3' },
      rate: { type: 'string', default: '10000' },
      seconds: { type: 'string', default: '2' },
      long: { type: 'boolean', default: false },
      'share-stack': { type: 'boolean', default: false },
      resume: { type: 'boolean', default: false },
      peak: { type: 'boolean', default: false },
      list: { type: 'boolean', default: false },
    },
    HELP,
  );
  if (values.list) for (const { name, fault } of ROWS) print(`${name.padEnd(32)} ${fault}`);
  if (values.list) return 0;
  const rows = ROWS.filter(
    ({ name }) => values.row === 'all' || values.row?.split(',').some((part) => name.includes(part)),
  );
  const [seeds, rate, seconds] = [values.seeds, values.rate, values.seconds].map(Number);
  if (rows.length === 0 && !values.peak) wrongUsage(`--row names none of the rows of --list: ${values.row ?? ''}`);
  if (![seeds, rate, seconds].every((value) => value! > 0)) wrongUsage('--seeds, --rate and --seconds are more than 0');
  const wanted = { seeds: seeds!, rate: rate!, seconds: seconds!, commit: currentCommit() };
  const stacks = new Stacks({ shared: values['share-stack'] });
  endBy(stacks);
  let broken = 0;
  try {
    if (values.peak) await keepPeak(stacks, wanted.commit);
    for (const row of rows) {
      if (stacks.over) break;
      if (values.resume && hasRun(readResults(RESULTS), row, wanted)) print(`${row.name}: has been run`);
      else await keepRow(row, stacks, wanted);
      broken += brokenOf(row.name);
    }
  } finally {
    await stacks.close();
  }
  return broken === 0 && !stacks.over ? 0 : 1;
}

/** Runs a row and keeps what it showed; one that cannot be run to its end is kept as such. */
async function keepRow(row: FaultRow, stacks: Stacks, { commit, ...options }: Wanted): Promise<void> {
  print(`${row.name}: ${row.fault}`);
  const why = row.impossible?.();
  if (why !== undefined) {
    print(`  not injected here: ${why}`);
    return;
  }
  const startedMs = performance.now();
  const results: KeptResult[] = [];
  let error: string | undefined;
  const onSeed = (result: SeedResult) => {
    printSeed(result);
    results.push({ ...result, commit, fault: row.fault });
  };
  try {
    await runRow(row, { ...options, stacks, onSeed });
  } catch (thrown) {
    if (stacks.over) return;
    error = thrown instanceof Error ? thrown.message : String(thrown);
    print(`  failed: ${error}`);
  }
  print(`  ${((performance.now() - startedMs) / 1_000).toFixed(1)} s`);
  save(
    withRow(
      readResults(RESULTS),
      row.name,
      results,
      error === undefined ? undefined : { row: row.name, error, commit },
    ),
  );
}

/** On a signal the stacks are stopped and what they need undone; then the process ends. A wrapper may send a signal again: nothing more comes of it. */
function endBy(stacks: Stacks): void {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => {
      if (stacks.over) return;
      print(`${signal}: the stack is stopped`);
      stacks
        .end()
        .catch((error: unknown) => print(String(error)))
        .finally(() => process.exit(SIGNALLED + constants.signals[signal]));
    });
  }
}

async function keepPeak(stacks: Stacks, commit: string): Promise<void> {
  print('the highest rate without a fault');
  const stack = await stacks.take({}, 1);
  await measureRate(stack, WARM_UP_RATE, WARM_UP_S);
  const peak = await searchPeak(async (rate) => {
    const step = await measureRate(stack, rate);
    print(
      `  ${rate}/s: accepted ${(step.accepted * 100).toFixed(1)} %, p99 ${step.p99Ms.toFixed(0)} ms, stored after ${step.recoveryS.toFixed(1)} s`,
    );
    return step;
  });
  await stacks.give(false);
  print(`  ${peak.rate} spans/s`);
  save({ ...readResults(RESULTS), peak: { ...peak, commit } });
}

/** Seeds of a row that broke the promise, and whether it failed. */
function brokenOf(row: string): number {
  const { results, failures } = readResults(RESULTS);
  const broken = results.filter((result) => result.row === row && !isKept(result)).length;
  return broken + failures.filter((failure) => failure.row === row).length;
}

function printSeed(result: SeedResult): void {
  const { seed, sent, acked, lost, doubled, alien, notRetryable, books, recoveryS, reasons, figures } = result;
  const words = `sent ${sent}, acked ${acked}, lost ${lost}, doubled ${doubled}, alien ${alien}, not retryable ${notRetryable}, books off ${books}`;
  print(
    `  seed ${seed}: ${words}, recovered in ${recoveryS.toFixed(1)} s ${JSON.stringify(reasons)} ${JSON.stringify(figures)}`,
  );
}

function save(file: ResultFile): void {
  writeResults(RESULTS, file);
  const machine = `Everything, the generator too, ran on one machine with ${availableParallelism()} cores.`;
  writeFileSync(REPORT, renderReport(ROWS, file, machine));
}

process.exit(await main());
