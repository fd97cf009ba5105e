import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { isDirty } from '@weir/testkit';
import type { Peak } from './peak.ts';
import type { SeedResult } from './run-row.ts';

/**
 * A seed's result, the commit that it was run on, and the fault as the row told it then; results from before they were kept
 * have none.
 */
export type KeptResult = SeedResult & { readonly commit?: string; readonly fault?: string };

/** A row that could not be run to its end. */
export interface Failure {
  readonly row: string;
  readonly error: string;
  readonly commit: string;
}

/** bench/results/faults.json. */
export interface ResultFile {
  readonly peak?: Peak & { readonly commit: string };
  readonly results: readonly KeptResult[];
  readonly failures: readonly Failure[];
}

export function readResults(path: string): ResultFile {
  if (!existsSync(path)) return { results: [], failures: [] };
  return JSON.parse(readFileSync(path, 'utf8')) as ResultFile;
}

export function writeResults(path: string, file: ResultFile): void {
  writeFileSync(path, `${JSON.stringify(file, null, 1)}\n`);
}

/** The newest results of a row take the place of its former ones; a failure stands until the row is run without one. */
export function withRow(
  file: ResultFile,
  row: string,
  results: readonly KeptResult[],
  failure: Failure | undefined,
): ResultFile {
  const others = file.results.filter((result) => result.row !== row);
  const former = file.results.filter((result) => result.row === row);
  return {
    ...file,
    results: [...others, ...(results.length > 0 ? results : former)],
    failures: [...file.failures.filter((one) => one.row !== row), ...(failure === undefined ? [] : [failure])],
  };
}

/** Whether a row was run with the same fault, as many seeds at that rate or more on this very commit, whatever came of it. */
export function hasRun(
  file: ResultFile,
  row: { readonly name: string; readonly fault: string },
  wanted: { seeds: number; rate: number; commit: string },
): boolean {
  if (isDirty(wanted.commit)) return false;
  const same = file.results.filter(
    ({ row: name, fault, rate, commit }) =>
      name === row.name && fault === row.fault && rate >= wanted.rate && commit === wanted.commit,
  );
  return same.length >= wanted.seeds;
}
