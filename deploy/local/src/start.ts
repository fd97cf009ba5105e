import { spawn } from 'node:child_process';
import { mkdirSync, openSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { embeddedRefusal } from './embedded.ts';
import { wantsKafkaSecurity } from './kafka-security.ts';
import { parseStart, START_HELP, type StartOptions } from './options.ts';
import { endLeftovers, supervisorOf } from './ownership.ts';
import { COMPILE_CACHE, stackPaths } from './paths.ts';
import { allPorts, brokerCount, derivePorts } from './ports.ts';
import { listens } from './probe.ts';
import { STACK_VARIABLE } from './specs.ts';
import { Stack } from './stack.ts';
import { summary } from './summary.ts';

const EXIT_FAILED = 1;
const EXIT_USAGE = 2;

/** How a detached supervisor tells the command that started it that it is done starting. */
type Told = { readonly say: string } | { readonly up: string } | { readonly failed: string };

async function main(): Promise<number> {
  const parsed = parseStart(process.argv.slice(2));
  if (parsed.kind === 'help') {
    process.stdout.write(START_HELP);
    return 0;
  }
  if (parsed.kind === 'fault') {
    process.stderr.write(`weir: ${parsed.message}\n\n${START_HELP}`);
    return EXIT_USAGE;
  }
  const { options } = parsed;
  const refusal = embeddedRefusal(process.env);
  if (refusal !== undefined) {
    process.stderr.write(`weir: ${refusal}\n`);
    return EXIT_USAGE;
  }
  const fault = await whyNot(options);
  if (fault !== undefined) {
    process.stderr.write(`weir: ${fault}\n`);
    return EXIT_FAILED;
  }
  return options.detach ? detach(options) : supervise(options);
}

/** Why the stack cannot be started here now. */
async function whyNot(options: StartOptions): Promise<string | undefined> {
  const paths = stackPaths(options.dataDir);
  const running = supervisorOf(paths);
  // A detached supervisor is started by this very check's process.
  if (running !== undefined && running !== process.pid) {
    return `a stack runs in ${options.dataDir} already (pid ${running}); npm stop -- --data-dir ${options.dataDir} ends it`;
  }
  const leftovers = endLeftovers(paths);
  if (leftovers.length > 0) process.stdout.write(`ended what an earlier run left: ${leftovers.join(', ')}\n`);
  let brokers: number;
  try {
    brokers = brokerCount(process.env);
    wantsKafkaSecurity(process.env);
  } catch (error) {
    return (error as Error).message;
  }
  const { portBase, tracks, counts, envoy } = options;
  for (const port of allPorts(derivePorts(portBase, tracks, brokers, counts), envoy)) {
    if (await listens(port)) return `port ${port} is in use; give another --port-base, or stop what listens there`;
  }
  return undefined;
}

async function supervise(options: StartOptions): Promise<number> {
  const paths = stackPaths(options.dataDir);
  const tell = (told: Told) => {
    process.stdout.write('say' in told ? `  ${told.say}\n` : 'up' in told ? told.up : `weir: ${told.failed}\n`);
    if (process.connected && process.send !== undefined) process.send(told);
  };
  process.env[STACK_VARIABLE] = paths.dataDir;
  const stack = new Stack(options, paths, (say) => tell({ say }));
  const stopping = new AbortController();
  const stopped = new Promise<void>((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
      process.on(signal, () => {
        stopping.abort();
        resolve();
      });
    }
  });
  let status = 0;
  try {
    const local = await stack.start(stopping.signal);
    tell({ up: `${summary(local, options.dataDir)}\n` });
    if (process.connected) process.disconnect?.();
    await Promise.race([stopped, stack.failure]);
  } catch (error) {
    if (!stopping.signal.aborted) {
      tell({ failed: error instanceof Error ? error.message : String(error) });
      status = EXIT_FAILED;
    }
  }
  await stack.stop();
  return status;
}

/** Starts the supervisor in the background and waits until it is up. */
function detach(options: StartOptions): Promise<number> {
  const paths = stackPaths(options.dataDir);
  mkdirSync(paths.logs, { recursive: true, mode: 0o700 });
  const log = openSync(paths.log, 'a', 0o600);
  const args = process.argv.slice(2).filter((arg) => arg !== '--detach');
  const child = spawn(process.execPath, [fileURLToPath(import.meta.url), ...args], {
    detached: true,
    stdio: ['ignore', log, log, 'ipc'],
    env: { ...process.env, [STACK_VARIABLE]: paths.dataDir, NODE_COMPILE_CACHE: COMPILE_CACHE },
  });
  return new Promise((resolve) => {
    child.on('message', (told: Told) => {
      if ('say' in told) return process.stdout.write(`  ${told.say}\n`);
      if ('failed' in told) {
        process.stderr.write(`weir: ${told.failed}\n`);
        return true;
      }
      process.stdout.write(`${told.up}Stop it: npm stop -- --data-dir ${options.dataDir}\n`);
      child.disconnect();
      child.unref();
      resolve(0);
      return true;
    });
    child.on('exit', (code) => {
      process.stderr.write(`weir: the stack did not start; see ${paths.log}\n`);
      resolve(code === 0 ? EXIT_FAILED : (code ?? EXIT_FAILED));
    });
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => child.kill('SIGTERM'));
  });
}

process.exit(await main());
