import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '@weir/pipeline';
import { ROOT } from '../paths.ts';

/** How a run came out. */
interface Counts {
  passed: number;
  failed: number;
  skipped: number;
}

interface VitestReport {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly numPendingTests: number;
  readonly numTodoTests: number;
  readonly testResults: readonly { readonly status: string; readonly assertionResults: readonly unknown[] }[];
}

/** Root scripts that each count as one test, run through turbo, which skips what has not changed. */
const CHECKS = ['lint', 'types', 'deps'] as const;
const PROJECTS = ['unit', 'e2e'] as const;

const bin = (name: string): string => join(ROOT, 'node_modules/.bin', name);

/** Runs a command with its output shown, and returns its exit status. */
function show(command: string, args: readonly string[]): Promise<number> {
  return new Promise((resolve) => {
    const env = { ...process.env, NO_COLOR: '1', FORCE_COLOR: undefined };
    const child = spawn(command, args, { cwd: ROOT, stdio: ['ignore', 'inherit', 'inherit'], env });
    child.once('error', () => resolve(1));
    child.once('close', (code) => resolve(code ?? 1));
  });
}

async function check(name: string, counts: Counts): Promise<void> {
  const startedMs = systemClock.nowMs();
  const status = await show(bin('turbo'), ['run', `//#${name}`, '--output-logs=errors-only', '--log-order=stream']);
  counts[status === 0 ? 'passed' : 'failed']++;
  const seconds = ((systemClock.nowMs() - startedMs) / 1_000).toFixed(1);
  process.stdout.write(`${status === 0 ? 'ok' : 'NOT OK'}  ${name} (${seconds} s)\n`);
}

/** Runs a vitest project. A run that breaks before any test counts as one failure. */
async function project(name: string, counts: Counts): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), 'weir-test-'));
  const report = join(dir, 'report.json');
  const args = ['run', '--project', name, '--reporter=default', '--reporter=json', `--outputFile.json=${report}`];
  const status = await show(bin('vitest'), args);
  let failed = 0;
  if (existsSync(report)) {
    const found = JSON.parse(readFileSync(report, 'utf8')) as VitestReport;
    counts.passed += found.numPassedTests;
    counts.skipped += found.numPendingTests + found.numTodoTests;
    failed = found.numFailedTests;
    for (const file of found.testResults) if (file.status === 'failed' && file.assertionResults.length === 0) failed++;
  }
  // What fails outside of any test (a set-up, an unhandled error) fails the run all the same.
  if (status !== 0 && failed === 0) failed = 1;
  counts.failed += failed;
  rmSync(dir, { recursive: true, force: true });
}

async function main(): Promise<number> {
  const counts: Counts = { passed: 0, failed: 0, skipped: 0 };
  for (const name of CHECKS) await check(name, counts);
  for (const name of PROJECTS) await project(name, counts);
  process.stdout.write(`${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped\n`);
  return counts.failed === 0 && counts.passed > 0 ? 0 : 1;
}

process.exit(await main());
