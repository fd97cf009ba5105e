import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const execFileAsync = promisify(execFile);
const INSTALL_TIMEOUT_MS = 170_000;
const RUN_TIMEOUT_MS = 60_000;
const OUTPUT_BYTES_MAX = 16 * 1024 * 1024;

/** The root of this clone. */
export const REPOSITORY = fileURLToPath(new URL('../../../', import.meta.url));

/** Where tools that the checks need are kept: once for each clone, removed with node_modules. */
export const TOOL_CACHE = join(REPOSITORY, 'node_modules/.cache/weir');

/** How a command ended. */
export interface Ran {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a command without a shell and waits for its end; a status other than 0 is an answer, not an error. */
export async function run(
  command: string,
  args: readonly string[],
  options: { cwd?: string; env?: Readonly<Record<string, string>>; timeoutMs?: number } = {},
): Promise<Ran> {
  const settings = {
    cwd: options.cwd ?? REPOSITORY,
    timeout: options.timeoutMs ?? RUN_TIMEOUT_MS,
    maxBuffer: OUTPUT_BYTES_MAX,
    ...(options.env === undefined ? {} : { env: { ...options.env } }),
  };
  try {
    return { status: 0, ...(await execFileAsync(command, [...args], settings)) };
  } catch (error) {
    const failure = error as { code?: number | string; killed?: boolean; stdout?: string; stderr?: string };
    if (typeof failure.code !== 'number') throw error;
    return { status: failure.code, stdout: failure.stdout ?? '', stderr: failure.stderr ?? '' };
  }
}

/** As {@link run}, but throws with the command's own words where it fails. */
export async function mustRun(command: string, args: readonly string[], cwd?: string): Promise<string> {
  const ran = await run(command, args, { timeoutMs: INSTALL_TIMEOUT_MS, ...(cwd === undefined ? {} : { cwd }) });
  if (ran.status !== 0) throw new Error(`${command} ${args.join(' ')} failed:\n${ran.stdout}${ran.stderr}`);
  return ran.stdout;
}

/**
 * A virtual environment with the given pinned packages, installed once for each clone.
 * @returns its bin directory.
 */
export async function pythonTools(name: string, requirements: readonly string[]): Promise<string> {
  const bin = join(TOOL_CACHE, name, 'bin');
  await installOnce(name, requirements.join('\n'), async (directory) => {
    await mustRun('python3', ['-m', 'venv', directory]);
    const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--no-input', ...requirements];
    await mustRun(join(bin, 'python'), pip);
  });
  return bin;
}

/**
 * promtool: the one on the PATH, else the one in Debian's package `prometheus`. Undefined where there is neither (no other registry
 * that the tests may use has it).
 */
export async function promtool(): Promise<string | undefined> {
  if (await answers('promtool', ['--version'])) return 'promtool';
  const binary = 'usr/bin/promtool';
  const directory = await debianTree('promtool', ['prometheus'], binary);
  return directory === undefined ? undefined : join(directory, binary);
}

/**
 * Packages of Debian, unpacked into the cache and not installed.
 * @param file one of theirs: where it is there they are
 * @returns the directory that stands for `/`; undefined where they cannot be had
 */
export async function debianTree(name: string, packages: readonly string[], file: string): Promise<string | undefined> {
  const directory = join(TOOL_CACHE, name);
  if (existsSync(join(directory, file))) return directory;
  if (!(await answers('apt-get', ['--version'])) || !(await answers('dpkg-deb', ['--version']))) return undefined;
  await mkdir(directory, { recursive: true });
  const options = { cwd: directory, timeoutMs: INSTALL_TIMEOUT_MS };
  const download = () => run('apt-get', ['download', ...packages], options);
  if ((await download()).status !== 0) {
    // A fresh machine has no package lists yet. Without the right to load them there is no tool.
    await run('apt-get', ['update'], { timeoutMs: INSTALL_TIMEOUT_MS });
    await download();
  }
  await run('sh', ['-c', 'for deb in *.deb; do dpkg-deb -x "$deb" .; done; rm -f *.deb'], options);
  return existsSync(join(directory, file)) ? directory : undefined;
}

/** kubectl or kustomize, whichever is on the PATH, as the words before a directory; undefined where neither is. */
export async function kustomizeCommand(): Promise<readonly string[] | undefined> {
  if (await answers('kustomize', ['version'])) return ['kustomize', 'build'];
  if (await answers('kubectl', ['kustomize', '--help'])) return ['kubectl', 'kustomize'];
  return undefined;
}

async function answers(command: string, args: readonly string[]): Promise<boolean> {
  try {
    return (await run(command, args)).status === 0;
  } catch {
    return false;
  }
}

/** Has `install` fill a directory of the cache, unless that was done for the same `wanted`. */
export async function installOnce(
  name: string,
  wanted: string,
  install: (directory: string) => Promise<void>,
): Promise<void> {
  const directory = join(TOOL_CACHE, name);
  const stamp = join(TOOL_CACHE, `${name}.stamp`);
  const found = await readFile(stamp, 'utf8').catch(() => undefined);
  if (found === wanted && existsSync(directory)) return;
  await rm(directory, { recursive: true, force: true });
  await mkdir(dirname(directory), { recursive: true });
  await install(directory);
  await writeFile(stamp, wanted);
}
