import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { closeSync, existsSync, fstatSync, ftruncateSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Clock } from '@weir/pipeline';

/** How one process of the stack is run. */
export interface ProcessSpec {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly logFile: string;
  /** Whether it serves; asked again and again until it does. */
  ready(): Promise<boolean>;
}

/** What is told about a process while it runs. */
export interface ProcessEvents {
  started(name: string, pid: number): void;
  died(name: string, how: string, again: number): void;
  gaveUp(name: string): void;
}

const READY_POLL_MS = 100;
const STOP_MS = 30_000;
const KILL_MS = 5_000;
const BACKOFF_MS = 300;
const BACKOFF_MS_MAX = 10_000;
const STEADY_MS = 60_000;
const DEATHS_MAX = 20;
const LOG_BYTES_MAX = 32 * 1024 ** 2;
const TAIL_BYTES = 3_000;

/** Linux kills the child when its parent dies, whatever kills the parent; elsewhere the next start cleans up. */
const DIES_WITH_PARENT = spawnSync('setpriv', ['--pdeathsig', 'KILL', 'true']).status === 0;

/** One process that is started again whenever it dies, until it is stopped. */
export class ManagedProcess {
  readonly spec: ProcessSpec;
  readonly #events: ProcessEvents;
  readonly #clock: Clock;
  readonly #steadyMs: number;
  #child: ChildProcess | undefined;
  #exited: Promise<void> = Promise.resolve();
  #stopping = new AbortController();
  #deaths = 0;
  #log = -1;

  /** @param steadyMs a process that lived longer is started again without a growing delay, however often it dies */
  constructor(spec: ProcessSpec, events: ProcessEvents, clock: Clock, steadyMs = STEADY_MS) {
    this.spec = spec;
    this.#events = events;
    this.#clock = clock;
    this.#steadyMs = steadyMs;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** Starts the process and waits until it serves. @throws when it does not within `timeoutMs` */
  async start(timeoutMs: number, signal: AbortSignal): Promise<void> {
    this.#stopping = new AbortController();
    mkdirSync(dirname(this.spec.logFile), { recursive: true });
    if (this.#log < 0) this.#log = openSync(this.spec.logFile, 'a', 0o600);
    this.#spawn();
    const deadline = AbortSignal.any([signal, this.#stopping.signal, AbortSignal.timeout(timeoutMs)]);
    while (!(await this.spec.ready().catch(() => false))) {
      if (deadline.aborted)
        throw new Error(`${this.spec.name} did not become ready; the end of its log:\n${this.tail()}`);
      await this.#clock.sleep(READY_POLL_MS, deadline).catch(() => undefined);
    }
  }

  /** Asks the process to end, waits, and ends it by force when it does not. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    const child = this.#child;
    if (child === undefined) return;
    child.kill('SIGTERM');
    if (!(await this.#endsWithin(STOP_MS))) {
      child.kill('SIGKILL');
      await this.#endsWithin(KILL_MS);
    }
    if (this.#log >= 0) closeSync(this.#log);
    this.#log = -1;
  }

  /** The last lines of the log. */
  tail(): string {
    if (!existsSync(this.spec.logFile)) return '';
    return readFileSync(this.spec.logFile).subarray(-TAIL_BYTES).toString('utf8');
  }

  /** Empties a log that has grown too large. */
  boundLog(): void {
    if (this.#log >= 0 && fstatSync(this.#log).size > LOG_BYTES_MAX) ftruncateSync(this.#log);
  }

  #spawn(): void {
    const { name, command, args, env } = this.spec;
    const wrapped = DIES_WITH_PARENT ? ['setpriv', '--pdeathsig', 'KILL', command, ...args] : [command, ...args];
    const startedMs = this.#clock.nowMs();
    // A group of its own: Ctrl-C reaches the supervisor alone, which stops the processes in order.
    const child = spawn(wrapped[0] ?? command, wrapped.slice(1), {
      env: { ...process.env, ...env },
      stdio: ['ignore', this.#log, this.#log],
      detached: true,
    });
    this.#child = child;
    this.#exited = new Promise((resolve) => {
      const ended = (how: string) => {
        this.#child = undefined;
        resolve();
        if (!this.#stopping.signal.aborted) void this.#again(how, this.#clock.nowMs() - startedMs);
      };
      child.once('error', (error) => ended(error.message));
      child.once('exit', (code, signal) => ended(signal === null ? `status ${code}` : signal));
    });
    if (child.pid !== undefined) this.#events.started(name, child.pid);
  }

  async #again(how: string, livedMs: number): Promise<void> {
    this.#deaths = livedMs > this.#steadyMs ? 1 : this.#deaths + 1;
    if (this.#deaths > DEATHS_MAX) return this.#events.gaveUp(this.spec.name);
    this.#events.died(this.spec.name, how, this.#deaths);
    const delayMs = Math.min(BACKOFF_MS * 2 ** (this.#deaths - 1), BACKOFF_MS_MAX);
    await this.#clock.sleep(delayMs, this.#stopping.signal).catch(() => undefined);
    if (!this.#stopping.signal.aborted) this.#spawn();
  }

  async #endsWithin(ms: number): Promise<boolean> {
    const timer = new AbortController();
    const late = this.#clock.sleep(ms, timer.signal).then(
      () => false,
      () => true,
    );
    const ended = await Promise.race([this.#exited.then(() => true), late]);
    timer.abort();
    return ended;
  }
}
