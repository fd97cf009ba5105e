import { join } from 'node:path';
import { type RowTest, rowTestOf } from './conformance-page.ts';
import { REPOSITORY, run } from './tool-cache.ts';

const VITEST = join(REPOSITORY, 'node_modules/vitest/vitest.mjs');
const LIST_TIMEOUT_MS = 120_000;

/** The tests of rows that exist, and the files that they are in. */
export interface ListedTests {
  readonly tests: readonly RowTest[];
  readonly files: readonly string[];
}

/** Asks vitest which tests there are; none is run, and no stack is started. @throws where a file cannot be loaded */
export async function listConformanceTests(): Promise<ListedTests> {
  const config = join(REPOSITORY, 'deploy/checks/src/conformance.config.ts');
  const args = [VITEST, 'list', '--config', config, '--no-static-parse', '--json'];
  const env = { PATH: process.env.PATH ?? '', HOME: process.env.HOME ?? '' };
  const { status, stdout, stderr } = await run(process.execPath, args, { env, timeoutMs: LIST_TIMEOUT_MS });
  if (status !== 0) throw new Error(`${stdout}${stderr}`);
  const listed = JSON.parse(stdout.slice(stdout.indexOf('['))) as { name: string; file: string }[];
  const tests: RowTest[] = [];
  const files = new Set<string>();
  for (const { name, file } of listed) {
    const test = rowTestOf(name);
    if (test === undefined) continue;
    tests.push(test);
    files.add(file);
  }
  return { tests, files: [...files].sort() };
}
