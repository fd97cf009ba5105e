import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '@weir/local';
import { readCommandLine, wrongUsage } from '@weir/testkit';
import { type Campaign, type CampaignOptions, caseOf, type Failure, runCampaign, seedsOf } from './campaign.ts';
import { Coverage } from './coverage.ts';
import { renderReport } from './report.ts';
import type { Case, Target } from './target.ts';
import { TARGETS } from './targets.ts';

const HELP = `Fuzzing of all that reads what clients send, against the official decoder.

  npm run fuzz -- --cases 200000 --seed 1
  npm run fuzz -- --cases 1000000 --seed 7 --target scan,split
  npm run fuzz -- --target json --seed 7 --case 4711
  npm run fuzz -- --replay node_modules/.cache/weir/fuzz/json-7-4711.json

  --cases N       cases of each target (default 100000)
  --seed S        (default 1)
  --seconds T     each target ends after it, whatever is left
  --target NAMES  ${TARGETS.map(({ name }) => name).join(', ')} (default all)
  --unguided      mutate the seeds alone, without coverage: faster, and a case is made again by its seed and index
  --case I        one unguided case
  --replay FILE   one case that was kept when it failed
  --report        writes bench/results/fuzz.md

Exit status: 0 no difference, 1 some, 2 wrong usage.
`;

const FAILURES = join(ROOT, 'node_modules/.cache/weir/fuzz');
const REPORT = join(ROOT, 'bench/results/fuzz.md');
const LINE_EVERY_MS = 30_000;
const SHOWN_BYTES = 300;
const print = (text: string) => process.stdout.write(`${text}\n`);

async function main(): Promise<number> {
  const values = readCommandLine(
    {
      cases: { type: 'string', default: '100000' },
      seed: { type: 'string', default: '1' },
      seconds: { type: 'string', default: 'Infinity' },
      target: { type: 'string' },
      case: { type: 'string' },
      replay: { type: 'string' },
      unguided: { type: 'boolean', default: false },
      report: { type: 'boolean', default: false },
    },
    HELP,
  );
  if (values.replay !== undefined) return replay(values.replay);
  const names = values.target?.split(',') ?? TARGETS.map(({ name }) => name);
  const targets = TARGETS.filter(({ name }) => names.includes(name));
  const [cases, seed, index] = [values.cases, values.seed, values.case ?? '0'].map(Number) as [number, number, number];
  const secondsMax = Number(values.seconds);
  if (targets.length !== names.length) wrongUsage(`--target names what is none: ${values.target}`);
  const whole = [cases, seed, index].every(Number.isSafeInteger) && secondsMax > 0;
  if (!whole) wrongUsage('--cases, --seed, --case and --seconds are numbers');
  if (values.case !== undefined) {
    const made = targets.map((target) => runOne(target, caseOf(target, seedsOf(target, seed), seed, index)));
    return Math.max(...(await Promise.all(made)));
  }
  const coverage = values.unguided ? undefined : new Coverage();
  const done: Campaign[] = [];
  for (const target of targets) done.push(await campaign(target, { cases, seed, secondsMax, coverage }));
  if (values.report) writeFileSync(REPORT, renderReport(targets, done, coverage !== undefined));
  return done.some(({ failures }) => failures.length > 0) ? 1 : 0;
}

async function campaign(target: Target, options: CampaignOptions): Promise<Campaign> {
  let shownMs = performance.now();
  const onProgress = (done: number) => {
    if (performance.now() - shownMs < LINE_EVERY_MS) return;
    shownMs = performance.now();
    print(`${target.name}: ${done.toLocaleString('en-US')}`);
  };
  const found = await runCampaign(target, { ...options, onProgress });
  for (const failure of found.failures) keep(failure);
  const outcomes = Object.entries(found.tally).map(([name, count]) => `${name} ${count.toLocaleString('en-US')}`);
  const speed = `${found.cases.toLocaleString('en-US')} cases in ${found.seconds.toFixed(1)} s`;
  print(
    `${target.name}: ${speed}, ${found.kept} kept, ${found.covered} characters covered, slowest ${found.slowestMs.toFixed(0)} ms`,
  );
  print(`  ${outcomes.join(', ')}, different ${found.failures.length}`);
  return found;
}

function keep({ target, seed, index, message, one }: Failure): void {
  const { signal, option, bytes } = one;
  mkdirSync(FAILURES, { recursive: true });
  const path = join(FAILURES, `${target}-${seed}-${index}.json`);
  writeFileSync(path, JSON.stringify({ target, signal, option, bytes: bytes.toString('base64') }));
  print(`${target}, seed ${seed}, case ${index}: ${message.slice(0, SHOWN_BYTES)}\n  --replay ${path}`);
}

function replay(path: string): Promise<number> {
  const { target: name, signal, option, bytes } = JSON.parse(readFileSync(path, 'utf8'));
  const target = TARGETS.find((known) => known.name === name)!;
  return runOne(target, { signal, option, bytes: Buffer.from(bytes, 'base64') });
}

async function runOne(target: Target, one: Case): Promise<number> {
  const { signal, option, bytes } = one;
  const shown = target.name === 'json' ? bytes.toString('utf8') : bytes.toString('hex');
  print(`${target.name}, ${signal}, option ${option}, ${bytes.length} bytes: ${shown.slice(0, 20 * SHOWN_BYTES)}`);
  try {
    print(await target.run(one));
    return 0;
  } catch (error) {
    print(error instanceof Error ? (error.stack ?? error.message) : String(error));
    return 1;
  }
}

process.exit(await main());
