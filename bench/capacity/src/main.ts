import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '@weir/local';
import { currentCommit, machine, wrongUsage } from '@weir/testkit';
import { renderCapacityPage } from './capacity-page.ts';
import { CapacityStack } from './capacity-stack.ts';
import { type CapacityOptions, HELP, readOptions } from './options.ts';
import { PARTS } from './parts.ts';
import type { PointResult } from './point.ts';
import { renderChart, renderReport, totalCpuS } from './report.ts';
import { type CapacityFile, readCapacity, writeCapacity } from './result-file.ts';
import { Run } from './run.ts';

const RESULTS = join(ROOT, 'bench/results');
const FILE = join(RESULTS, 'capacity.json');
const SIGNALS = ['SIGINT', 'SIGTERM'] as const;
const INTERRUPTED = 130;

const print = (text: string) => process.stdout.write(`${text}\n`);

async function main(): Promise<number> {
  let options: ReturnType<typeof readOptions>;
  try {
    options = readOptions(process.argv.slice(2));
    if (options === undefined) {
      print(HELP);
      return 0;
    }
    const unknown = options.parts.filter((name) => !PARTS.some((part) => part.name === name));
    if (unknown.length > 0) throw new Error(`there is no part ${unknown.join(', ')}: --list says which there are`);
  } catch (error) {
    wrongUsage((error as Error).message);
  }
  if (options.list) {
    for (const { name, what } of PARTS) print(`${name.padEnd(12)} ${what}`);
    return 0;
  }
  const file: CapacityFile = { parts: readCapacity(FILE)?.parts ?? {}, machine: machine(), goal: options.goal };
  return options.report ? report(readCapacity(FILE) ?? file) : measure(file, options);
}

async function measure(file: CapacityFile, options: CapacityOptions): Promise<number> {
  const stacks = new CapacityStack();
  const faults: string[] = [];
  const run = new Run(file, stacks, {
    options,
    commit: currentCommit(),
    keep: (kept) => writeCapacity(FILE, kept),
    say: (part, point) => {
      print(pointLine(part, point));
      if (point.lost > 0 || point.doubled > 0) faults.push(`${part} ${point.name}`);
    },
  });
  for (const signal of SIGNALS) {
    process.once(signal, () => void stacks.stop().finally(() => process.exit(INTERRUPTED)));
  }
  for (const part of PARTS) {
    if (options.parts.length > 0 && !options.parts.includes(part.name)) continue;
    try {
      await part.run(run);
    } catch (error) {
      // The others are measured all the same, on a stack of their own; --resume takes up what is missing.
      print(`capacity: ${part.name}: ${(error as Error).message}`);
      faults.push(`${part.name} could not be measured`);
      await stacks.stop();
    }
  }
  await stacks.stop();
  const status = report(run.file);
  for (const fault of faults) print(`NOT AS PROMISED: ${fault}`);
  return faults.length > 0 ? 1 : status;
}

function report(file: CapacityFile): number {
  writeFileSync(join(RESULTS, 'capacity.md'), renderReport(file, PARTS));
  writeFileSync(join(RESULTS, 'capacity-latency.svg'), renderChart(file));
  writeFileSync(join(ROOT, 'docs/CAPACITY.md'), renderCapacityPage(file));
  return 0;
}

function pointLine(part: string, point: PointResult): string {
  const { name, round, load, acceptedShare, answerMs, queryableMs, lost, doubled, cpuS } = point;
  const costs = Object.entries(cpuS).map(([kind, seconds]) => `${kind} ${seconds.toFixed(2)}`);
  return [
    `${part} ${name}, round ${round + 1}: ${load.rate}/s, accepted ${(acceptedShare * 100).toFixed(1)} %`,
    `answer p99 ${answerMs.p99.toFixed(0)} ms, queryable p95 ${queryableMs.p95.toFixed(0)} ms`,
    `lost ${lost}, doubled ${doubled}`,
    `CPU s per million ${totalCpuS(point).toFixed(2)}: ${costs.join(', ')}`,
  ].join('; ');
}

process.exit(await main());
