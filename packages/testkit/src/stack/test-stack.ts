import { spawn } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { ensureTenants, type LocalFile, type ProcessCounts, ROOT, readLocalFile, stackPaths } from '@weir/local';
import type { FaultPoint } from '@weir/pipeline';
import { request } from 'undici';

const CASES = 100;

/** Names of tenants for single tests of a stack that nobody shares: `case-0`, `case-1`, … */
export function caseTenant(number: number): string {
  if (number >= CASES) throw new Error(`there are ${CASES} tenants for cases`);
  return `case-${number}`;
}

/** Of tenants that send bombs: each counts as all that it might have been inflated to. */
const BOMBS = { perSecond: 1024 ** 3, burst: 8 * 1024 ** 3 };

/** Tenants of every test stack: one whose load reaches every partition, three with a small rate, some for single tests. */
export const TEST_TENANTS: Readonly<Record<string, object>> = {
  demo: { partitions: 4, bytes: BOMBS },
  limited: { items: { perSecond: 10, burst: 20 } },
  debtor: { items: { perSecond: 10, burst: 20 } },
  throttled: { items: { perSecond: 1, burst: 5 } },
  // Who sends bad input, and who must not notice.
  attacker: { bytes: BOMBS },
  neighbour: {},
  // Kept for other times than the rest, and so in other partitions of the tables.
  weekly: { retentionDays: 7 },
  quarterly: { retentionDays: 90 },
  ...Object.fromEntries(Array.from({ length: CASES }, (_, number) => [`case-${number}`, {}])),
};

export interface StackOptions {
  readonly tracks?: readonly string[];
  readonly envoy?: boolean;
  /** Processes of each service, one where it is left out. */
  readonly counts?: Partial<ProcessCounts>;
  /** Without them Kafka and ClickHouse run alone. */
  readonly services?: boolean;
  /** First of the ports; free ones are looked for where it is left out. */
  readonly portBase?: number;
  /** Whether processes can be killed at fault points. */
  readonly faultPoints?: boolean;
  /** Settings of the services. */
  readonly env?: Readonly<Record<string, string>>;
}

const START_MS = 180_000;
const PORTS_PER_STACK = 60;
const PORTS_OF_MANY = 200;
const FIRST_PORT = 20_000;
const STACKS = 150;
const POLL_MS = 100;
/** A signal has been heard after this; a process that is to die does so within the other. */
const HEARD_MS = 300;
const DIED_MS_MAX = 60_000;

/** The embedded stack, run for tests in a data directory of its own: the real Kafka, ClickHouse and Envoy. */
export class TestStack {
  readonly dataDir: string;

  constructor(dataDir: string) {
    this.dataDir = dataDir;
  }

  /** Starts one on free ports. @throws with what it printed when it does not come up */
  static async start(dataDir: string, options: StackOptions = {}): Promise<TestStack> {
    const paths = stackPaths(dataDir);
    for (const dir of [paths.dataDir, paths.logs, paths.run]) mkdirSync(dir, { recursive: true, mode: 0o700 });
    ensureTenants(paths, TEST_TENANTS);
    const base = options.portBase ?? (await freePorts(options.counts === undefined ? PORTS_PER_STACK : PORTS_OF_MANY));
    const args = ['--detach', '--data-dir', dataDir, '--port-base', String(base)];
    args.push('--tracks', (options.tracks ?? ['v1']).join(','));
    for (const [service, count] of Object.entries(options.counts ?? {})) args.push(`--${service}s`, String(count));
    if (options.envoy === false) args.push('--no-envoy');
    if (options.services === false) args.push('--no-services');
    const stack = new TestStack(dataDir);
    const faults = options.faultPoints === true ? { WEIR_FAULT_POINTS_FILE: stack.#pointFile } : {};
    await runNode(['deploy/local/src/start.ts', ...args], { ...faults, ...options.env }, START_MS);
    return stack;
  }

  /** DIR/local.json as it is now: pids change when processes are restarted. */
  get local(): LocalFile {
    return readLocalFile(stackPaths(this.dataDir).localFile);
  }

  get ca(): Buffer {
    return readFileSync(this.local.ca);
  }

  key(tenant: string): string {
    const found = this.local.tenants[tenant];
    if (found === undefined) throw new Error(`the stack has no tenant ${tenant}`);
    return found.key;
  }

  /** Runs a query on ClickHouse and returns its rows; 64-bit integers are strings. */
  async query<T>(sql: string): Promise<T[]> {
    const { url, database } = this.local.clickhouse;
    const target = `${url}/?database=${database}&default_format=JSONEachRow&output_format_json_quote_64bit_integers=1&output_format_json_quote_denormals=1`;
    const { statusCode, body } = await request(target, { method: 'POST', body: sql });
    const text = await body.text();
    if (statusCode !== 200) throw new Error(text);
    return text
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as T);
  }

  /** Asks until the query's first row satisfies; returns it. */
  async until<T>(sql: string, satisfied: (row: T) => boolean, timeoutMs = 30_000): Promise<T> {
    const deadline = Date.now() + timeoutMs;
    let last: T | undefined;
    while (Date.now() < deadline) {
      [last] = await this.query<T>(sql);
      if (last !== undefined && satisfied(last)) return last;
      await pause(POLL_MS);
    }
    throw new Error(`not within ${timeoutMs} ms; the last row was ${JSON.stringify(last)}`);
  }

  pid(name: string): number {
    const { services, processes } = this.local;
    const pid = services[name]?.pid ?? processes[name];
    if (pid === undefined) throw new Error(`the stack has no process ${name}`);
    return pid;
  }

  signal(name: string, signal: NodeJS.Signals): void {
    process.kill(this.pid(name), signal);
  }

  get #pointFile(): string {
    return join(this.dataDir, 'fault-point');
  }

  /** Has a process of a stack with fault points kill itself at one, in what `act` leads to, and waits until it runs again. */
  async killAt(name: string, point: FaultPoint, act: () => Promise<unknown>): Promise<void> {
    const before = this.pid(name);
    writeFileSync(this.#pointFile, point);
    this.signal(name, 'SIGUSR2');
    await pause(HEARD_MS);
    await act();
    for (let waitedMs = 0; this.pid(name) === before; waitedMs += POLL_MS) {
      if (waitedMs > DIED_MS_MAX) throw new Error(`${name} did not come to ${point}`);
      await pause(POLL_MS);
    }
  }

  /** A metric's value summed over its labels, or over those that `labels` names. */
  metric(service: string, name: string, labels: Readonly<Record<string, string>> = {}): Promise<number> {
    return readMetric(this.local.services[service]?.admin ?? '', name, labels);
  }

  async ready(service: string): Promise<boolean> {
    try {
      const { statusCode, body } = await request(`${this.local.services[service]?.admin}/readyz`);
      await body.dump();
      return statusCode === 200;
    } catch {
      return false;
    }
  }

  /** Runs ingestctl against the stack and returns what it printed. @throws when it exits with another status than 0 */
  ingestctl(...args: string[]): Promise<string> {
    return runNode(
      ['packages/ingestctl/src/main.ts', '--data-dir', this.dataDir, ...args],
      { WEIR_KEY_PEPPER_FILE: stackPaths(this.dataDir).pepper },
      60_000,
    );
  }

  /** The end of a process's log. */
  log(name: string): string {
    return readFileSync(join(stackPaths(this.dataDir).logs, `${name}.log`), 'utf8').slice(-5_000);
  }

  async stop(): Promise<void> {
    await runNode(['deploy/local/src/stop.ts', '--data-dir', this.dataDir], {}, 130_000);
  }
}

/** A metric of the process behind an admin endpoint, summed over its labels, or over those that `labels` names. */
export async function readMetric(
  admin: string,
  name: string,
  labels: Readonly<Record<string, string>> = {},
): Promise<number> {
  const { body } = await request(`${admin}/metrics`);
  let sum = 0;
  for (const line of (await body.text()).split('\n')) {
    const match = /^(\w+)(?:\{(.*)\})? (\S+)$/.exec(line);
    if (match?.[1] !== name) continue;
    const wanted = Object.entries(labels).every(([key, value]) => match[2]?.includes(`${key}="${value}"`));
    if (wanted) sum += Number(match[3]);
  }
  return sum;
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** First port of a run of free ones. */
export async function freePorts(count = PORTS_PER_STACK): Promise<number> {
  for (let attempt = 0; attempt < STACKS; attempt++) {
    const base = FIRST_PORT + Math.floor(Math.random() * STACKS) * PORTS_PER_STACK;
    const free = await Promise.all(Array.from({ length: count }, (_, i) => isFree(base + i)));
    if (free.every(Boolean)) return base;
  }
  throw new Error('no free ports');
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}

/** Runs a source of the checkout and returns its standard output. */
function runNode(args: readonly string[], env: Readonly<Record<string, string>>, timeoutMs: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, {
      cwd: ROOT,
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: timeoutMs,
    });
    let out = '';
    let all = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      out += text;
      all += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      all += text;
    });
    child.once('error', reject);
    child.once('close', (code) => {
      if (code === 0) resolve(out);
      else reject(new Error(`${args.join(' ')} ended with status ${code}:\n${all.slice(-4_000)}`));
    });
  });
}
