import { measureRun, type RunResult, warmUpLong } from './measure-run.ts';
import type { SeriesLoad } from './series-load.ts';
import type { System } from './systems/system.ts';

/** Who is told how it goes. */
export type Say = (line: string) => void;

/**
 * Puts each system under load for a while, then runs each once a pair, in another order each time: whatever drifts on the machine
 * meets all of them alike.
 */
export async function runSeries(
  systems: readonly System[],
  load: SeriesLoad,
  pairs: number,
  say: Say,
): Promise<{ readonly runs: RunResult[]; readonly failures: string[] }> {
  const runs: RunResult[] = [];
  const failures: string[] = [];
  const { warmUpS = 0 } = load;
  for (const system of systems) {
    if (warmUpS === 0) break;
    say(`  ${system.name} under load for ${warmUpS} s`);
    await warmUpLong(system, load, warmUpS).catch((error: unknown) => say(`  ${system.name}: ${why(error)}`));
  }
  for (let pair = 1; pair <= pairs; pair++) {
    for (const system of orderOf(systems, pair)) {
      try {
        const result = await measureRun(system, load, pair);
        runs.push(result);
        say(`  ${pair}/${pairs} ${describeRun(result)}`);
      } catch (error) {
        failures.push(`${system.name}, ${pair}: ${why(error).split('\n')[0]}`);
        say(`  ${pair}/${pairs} ${system.name} failed: ${why(error)}`);
      }
    }
  }
  return { runs, failures };
}

const why = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** Every second time backwards. */
export function orderOf<T>(systems: readonly T[], pair: number): readonly T[] {
  return pair % 2 === 1 ? systems : systems.toReversed();
}

function describeRun({ system, parts, stored, answeredS, arrivedS, p50Ms, p99Ms, ...rest }: RunResult): string {
  const perMillion = (cpuS: number) => ((cpuS / stored.distinct) * 1e6).toFixed(2);
  const costs = parts.map(({ name, cpuS, peakMib }) => `${name} ${perMillion(cpuS)} (${peakMib.toFixed(0)} MiB)`);
  const times = `answered ${answeredS.toFixed(1)} s, there ${arrivedS.toFixed(1)} s, p50 ${p50Ms.toFixed(0)} p99 ${p99Ms.toFixed(0)} ms`;
  const fate = `lost ${stored.lost}, doubled ${stored.doubled}, retries ${rest.retries}${rest.quiet ? '' : ', merges go on'}`;
  return `${system}: CPU s per million: ${costs.join(', ')}; ${times}; ${fate}`;
}
