import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { stackPaths } from '@weir/local';
import { readMetric, type TestStack } from '@weir/testkit';
import { request } from 'undici';
import { until } from './until.ts';

/** One more process of a service: with the settings of the one that the stack runs, and ports and state of its own. */
export class Member {
  readonly #stack: TestStack;
  readonly #service: string;
  readonly #name: string;
  readonly #port: number;
  #child: ChildProcess | undefined;
  #exited: Promise<void> = Promise.resolve();

  /** @param port the first of three that are free: admin, gRPC, HTTP */
  constructor(stack: TestStack, service: string, slot: number, port: number) {
    this.#stack = stack;
    this.#service = service;
    this.#name = `${service}-member-${slot}`;
    this.#port = port;
  }

  /** Where its metrics are. */
  get admin(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  /** Ports where an edge listens. */
  get ports(): { readonly grpc: number; readonly http: number } {
    return { grpc: this.#port + 1, http: this.#port + 2 };
  }

  start(): void {
    const paths = stackPaths(this.#stack.dataDir);
    const own = `/proc/${this.#stack.pid(this.#service)}`;
    const words = (file: string) => readFileSync(`${own}/${file}`, 'utf8').split('\0').slice(0, -1);
    const env = Object.fromEntries(words('environ').map((line) => splitOnce(line)));
    const log = openSync(join(paths.logs, `${this.#name}.log`), 'a', 0o600);
    // It dies with us, whatever becomes of us.
    const child = spawn('setpriv', ['--pdeathsig', 'KILL', ...words('cmdline')], {
      env: {
        ...env,
        WEIR_ADMIN_LISTEN: `127.0.0.1:${this.#port}`,
        WEIR_STATE_DIR: paths.state(this.#name, 'v1'),
        WEIR_GRPC_LISTEN: `127.0.0.1:${this.ports.grpc}`,
        WEIR_HTTP_LISTEN: `127.0.0.1:${this.ports.http}`,
      },
      stdio: ['ignore', log, log],
    });
    closeSync(log);
    this.#child = child;
    this.#exited = new Promise((resolve) => {
      child.once('error', () => resolve());
      child.once('exit', () => resolve());
    });
  }

  async untilReady(): Promise<void> {
    await until(`${this.#name} is ready`, async () => {
      const answer = await request(`http://127.0.0.1:${this.#port}/readyz`).catch(() => undefined);
      await answer?.body.dump();
      return answer?.statusCode === 200;
    });
  }

  /** Waits until it owns so many partitions at least, and says how many. */
  async untilOwning(least = 1): Promise<number> {
    let owned = 0;
    await until(`${this.#name} owns ${least} partitions or more`, async () => {
      const name = `weir_${this.#service}_partitions`;
      owned = await readMetric(`http://127.0.0.1:${this.#port}`, name).catch(() => 0);
      return owned >= least;
    });
    return owned;
  }

  /** Waits until it runs no more. @throws where nothing has ended it within half a minute */
  async untilEnded(): Promise<void> {
    let ended = false;
    void this.#exited.then(() => {
      ended = true;
    });
    await until(`${this.#name} has ended`, () => ended);
  }

  /** Signals it and waits until it has ended. Safe when it runs no more. */
  async end(signal: NodeJS.Signals): Promise<void> {
    this.#child?.kill(signal);
    await this.#exited;
  }
}

function splitOnce(line: string): [string, string] {
  const at = line.indexOf('=');
  return [line.slice(0, at), line.slice(at + 1)];
}
