import { mkdirSync, writeFileSync } from 'node:fs';
import { constants } from 'node:os';
import { join, resolve } from 'node:path';
import { ROOT } from '@weir/local';
import { wrongUsage } from '@weir/testkit';
import { circumstances } from './circumstances.ts';
import { installCollector, installRotel } from './install.ts';
import { PEERS_HELP, type PeersOptions, parsePeers, SYSTEM_NAMES, type SystemName } from './options.ts';
import { renderPlots } from './plots.ts';
import { type PromiseResult, tryPromise } from './promise.ts';
import { renderPage } from './report.ts';
import { type ResultFile, readResults, seriesName, withPromises, withSeries, writeResults } from './result-file.ts';
import { runSeries } from './run-series.ts';
import { Stands } from './stands.ts';
import { versionOf } from './stored-rows.ts';

const SIGNALLED = 128;
const print = (text: string) => process.stdout.write(`${text}\n`);

async function main(): Promise<number> {
  const parsed = parsePeers(process.argv.slice(2));
  if (parsed.kind === 'help') {
    print(PEERS_HELP);
    return 0;
  }
  if (parsed.kind === 'fault') wrongUsage(parsed.message);
  await install(parsed.kind === 'install' ? SYSTEM_NAMES : parsed.options.systems);
  return parsed.kind === 'install' ? 0 : measureAll(parsed.options);
}

async function install(systems: readonly SystemName[]): Promise<void> {
  if (systems.includes('collector')) print(`Collector: ${await installCollector()}`);
  if (systems.some((name) => name.startsWith('rotel'))) print(`Rotel: ${await installRotel()}`);
}

async function measureAll({ loads, systems: names, pairs, promises, out }: PeersOptions): Promise<number> {
  const stands = new Stands();
  endBy(stands);
  let failed = 0;
  try {
    await stands.start(names);
    const systems = stands.systems(names);
    const machine = circumstances(await versionOf(stands.any.local.clickhouse));
    for (const load of loads) {
      const startedMs = performance.now();
      print(`${load.transport} ${load.signal}: ${load.items} items, ${pairs} pairs of ${names.join(', ')}`);
      const { runs, failures } = await runSeries(systems, load, pairs, print);
      failed += failures.length;
      if (runs.length > 0) keep(out, stands, (file) => withSeries(file, { load, machine, runs, failures }));
      print(`  ${((performance.now() - startedMs) / 60_000).toFixed(1)} min`);
    }
    if (promises) {
      const tried: PromiseResult[] = [];
      for (const system of systems) {
        try {
          const result = await tryPromise(system, { ...loads[0]!, signal: 'traces', transport: 'http' });
          print(`promise: ${JSON.stringify(result)}`);
          tried.push(result);
        } catch (error) {
          failed++;
          print(`promise failed: ${error instanceof Error ? error.message : String(error)}`);
        }
      }
      keep(out, stands, (file) => withPromises(file, tried));
    }
  } finally {
    await stands.stop();
  }
  return failed === 0 ? 0 : 1;
}

/** Adds to what is kept, and writes the page and its plots anew. An empty `out` keeps nothing. */
function keep(out: string | undefined, stands: Stands, add: (file: ResultFile) => ResultFile): void {
  if (out === '') return;
  const dir = out === undefined ? join(ROOT, 'bench/results') : resolve(out);
  mkdirSync(dir, { recursive: true });
  const path = join(dir, 'peers.json');
  const file = add(readResults(path));
  writeResults(path, file);
  const titles = stands.systems(SYSTEM_NAMES);
  writeFileSync(join(dir, 'peers.md'), renderPage(file, titles));
  for (const series of file.series) {
    for (const [name, svg] of renderPlots(series, titles)) writeFileSync(join(dir, name), svg);
  }
  const kept = file.series.map(seriesName).join(', ');
  print(`  written to ${join(dir, 'peers.md')}: ${kept}`);
}

/** On a signal the stacks are stopped; the peers' processes end with this one. */
function endBy(stands: Stands): void {
  let over = false;
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => {
      if (over) return;
      over = true;
      void stands.stop().finally(() => process.exit(SIGNALLED + constants.signals[signal]));
    });
  }
}

process.exit(await main());
