import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { REPOSITORY } from '@weir/deploy-checks';
import type { Measured } from './measure.ts';
import type { SdkClient } from './sdk-client.ts';

/** One client's part of bench/results/clients.json. */
export interface ClientResult {
  readonly name: SdkClient['name'];
  readonly title: string;
  readonly version: string;
  /** Empty where the client could not be installed or did not run. */
  readonly measured: readonly Measured[];
}

export const RESULTS_PATH = join(REPOSITORY, 'bench/results/clients.json');

export function readClientResults(): readonly ClientResult[] {
  return JSON.parse(readFileSync(RESULTS_PATH, 'utf8')) as ClientResult[];
}

/** One line for each measurement. */
export function writeClientResults(results: readonly ClientResult[]): void {
  const clients = results.map(({ measured, ...client }) => {
    const lines = measured.map((each) => `\n${JSON.stringify(each)}`);
    return `${JSON.stringify(client).slice(0, -1)},"measured":[${lines.join(',')}]}`;
  });
  writeFileSync(RESULTS_PATH, `[${clients.join(',\n')}]\n`);
}
