import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import type { Circumstances } from './circumstances.ts';
import type { RunResult } from './measure-run.ts';
import type { PromiseResult } from './promise.ts';
import type { SeriesLoad } from './series-load.ts';

/** Items of an export in the main series. */
const USUAL_EXPORT = 1_000;

/** Runs of several systems in alternation on one load, on one machine. */
export interface Series {
  readonly load: SeriesLoad;
  readonly machine: Circumstances;
  readonly runs: readonly RunResult[];
  /** Runs that failed, as `system, pair: why`. */
  readonly failures: readonly string[];
}

/** bench/results/peers.json. */
export interface ResultFile {
  readonly series: readonly Series[];
  readonly promises: readonly PromiseResult[];
}

export function readResults(path: string): ResultFile {
  if (!existsSync(path)) return { series: [], promises: [] };
  return JSON.parse(readFileSync(path, 'utf8')) as ResultFile;
}

export function writeResults(path: string, file: ResultFile): void {
  writeFileSync(path, `${JSON.stringify(file, null, 1)}\n`);
}

/** `http-traces`, and what its exports have of their own. */
export function seriesName({ load }: Pick<Series, 'load'>): string {
  const size = load.itemsPerExport === USUAL_EXPORT ? '' : `-${load.itemsPerExport}-an-export`;
  return `${load.transport}-${load.signal}${load.gzip ? '-gzip' : ''}${size}`;
}

/** A series takes the place of the former one of the same name. */
export function withSeries(file: ResultFile, series: Series): ResultFile {
  const others = file.series.filter((each) => seriesName(each) !== seriesName(series));
  return { ...file, series: [...others, series] };
}

/** What was tried of a system takes the place of what was tried before. */
export function withPromises(file: ResultFile, promises: readonly PromiseResult[]): ResultFile {
  const names = new Set(promises.map(({ system }) => system));
  return { ...file, promises: [...file.promises.filter(({ system }) => !names.has(system)), ...promises] };
}
