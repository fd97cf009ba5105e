import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import type { StackPaths } from './paths.ts';
import { STACK_VARIABLE } from './specs.ts';

const SUPERVISOR = 'deploy/local/src/start.ts';

/** Who runs a data directory: the supervisor and the processes it started. */
interface RunFile {
  readonly pid: number;
  readonly processes: Readonly<Record<string, number>>;
}

/** The supervisor that runs this data directory, or undefined where none does. */
export function supervisorOf(paths: StackPaths): number | undefined {
  const file = readRun(paths);
  return file !== undefined && belongs(file.pid, paths) ? file.pid : undefined;
}

/** Ends what an earlier supervisor that was killed has left running. Returns the names. */
export function endLeftovers(paths: StackPaths): string[] {
  const file = readRun(paths);
  if (file === undefined) return [];
  const ended: string[] = [];
  for (const [name, pid] of Object.entries(file.processes)) {
    if (!belongs(pid, paths)) continue;
    process.kill(pid, 'SIGKILL');
    ended.push(name);
  }
  rmSync(paths.pid, { force: true });
  return ended;
}

/** Records who runs. */
export function writeRun(paths: StackPaths, processes: ReadonlyMap<string, number>): void {
  mkdirSync(dirname(paths.pid), { recursive: true });
  const content: RunFile = { pid: process.pid, processes: Object.fromEntries(processes) };
  writeFileSync(`${paths.pid}.new`, JSON.stringify(content), { mode: 0o600 });
  renameSync(`${paths.pid}.new`, paths.pid);
}

export function removeRun(paths: StackPaths): void {
  rmSync(paths.pid, { force: true });
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

function readRun(paths: StackPaths): RunFile | undefined {
  if (!existsSync(paths.pid)) return undefined;
  try {
    return JSON.parse(readFileSync(paths.pid, 'utf8')) as RunFile;
  } catch {
    return undefined;
  }
}

/** Whether the pid is still the process that was meant: a pid may have been given to a stranger since. */
function belongs(pid: number, paths: StackPaths): boolean {
  if (!isAlive(pid)) return false;
  try {
    const environ = readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0');
    if (environ.includes(`${STACK_VARIABLE}=${paths.dataDir}`)) return true;
    // A supervisor in the foreground was started without the variable.
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8')
      .split('\0')
      .some((arg) => arg.endsWith(SUPERVISOR));
  } catch {
    // No /proc here: the pid alone has to do.
    return !existsSync('/proc');
  }
}
