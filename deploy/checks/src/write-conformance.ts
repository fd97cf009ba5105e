import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type RowResult, renderConformancePage, rowTestOf } from './conformance-page.ts';
import { listConformanceTests } from './conformance-tests.ts';
import { REPOSITORY, run } from './tool-cache.ts';

// docs/CONFORMANCE.md from the tests' results: from a report of vitest's JSON reporter, or from a run of its own.

const RUN_TIMEOUT_MS = 1_800_000;

interface Report {
  readonly testResults: readonly {
    readonly assertionResults: readonly { readonly fullName: string; readonly status: string }[];
  }[];
}

async function reportOfRun(): Promise<string> {
  const scratch = await mkdtemp(join(tmpdir(), 'weir-conformance-'));
  const file = join(scratch, 'report.json');
  const { files } = await listConformanceTests();
  const vitest = join(REPOSITORY, 'node_modules/vitest/vitest.mjs');
  const args = [vitest, 'run', '--project', 'e2e', '--reporter=json', `--outputFile=${file}`, ...files];
  await run(process.execPath, args, { timeoutMs: RUN_TIMEOUT_MS });
  const text = await readFile(file, 'utf8');
  await rm(scratch, { recursive: true });
  return text;
}

const given = process.argv[2];
const report = JSON.parse(given === undefined ? await reportOfRun() : await readFile(given, 'utf8')) as Report;
const results = report.testResults.flatMap(({ assertionResults }) =>
  assertionResults.flatMap(({ fullName, status }): RowResult[] => {
    const test = rowTestOf(fullName);
    return test === undefined ? [] : [{ ...test, passed: status === 'passed' }];
  }),
);
await writeFile(join(REPOSITORY, 'docs/CONFORMANCE.md'), renderConformancePage(results));
const failed = results.filter(({ passed }) => !passed).length;
process.stdout.write(`docs/CONFORMANCE.md: ${results.length} tests, ${failed} of them failed\n`);
if (failed > 0) process.exitCode = 1;
