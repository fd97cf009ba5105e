import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { pause, type TestStack } from '@weir/testkit';
import { expect } from 'vitest';
import { type Ran, runProgram } from './run-program.ts';

/** Edges write what they refused every 5 s: so late a test that ran before on this stack moves an offset. */
const SETTLED_MS = 7_000;
const TRIES = 3;
const BOOKS = 'SELECT Outcome, sum(Items) AS items FROM weir_usage GROUP BY Outcome ORDER BY Outcome';

/** Runs ingestctl against a stack, as an operator without a terminal does. */
export class Operator {
  readonly #stack: TestStack;

  constructor(stack: TestStack) {
    this.#stack = stack;
  }

  run(...args: string[]): Promise<Ran> {
    const env = { WEIR_KEY_PEPPER_FILE: join(this.#stack.dataDir, 'pepper') };
    return runProgram(['--data-dir', this.#stack.dataDir, ...args], { env });
  }

  /** What a command that succeeds prints as JSON. */
  async json<T>(...args: string[]): Promise<T> {
    const { status, out, err } = await this.run('--json', ...args);
    expect({ args, status, err }).toEqual({ args, status: 0, err: '' });
    return JSON.parse(out) as T;
  }

  /** What a command that succeeds prints as lines of JSON. */
  async jsonLines(...args: string[]): Promise<readonly Readonly<Record<string, unknown>>[]> {
    const { status, out, err } = await this.run('--json', ...args);
    expect({ args, status, err }).toEqual({ args, status: 0, err: '' });
    const lines = out.trimEnd().split('\n');
    return lines.map((line) => JSON.parse(line) as Readonly<Record<string, unknown>>);
  }

  /** Replays, and returns the id of the replay. */
  async replay(...args: string[]): Promise<string> {
    return String((await this.jsonLines(...args)).at(-1)!.id);
  }

  /** Promotes a replay all of whose rows live has: nothing is changed. */
  async promotesNothing(id: string): Promise<void> {
    const nothing = { replaced: 0, inserted: 0, kept: 0 };
    expect(await this.json('shadow', 'promote', id, '--yes')).toEqual({ id, ...nothing, state: 'promoted' });
  }

  /**
   * Whether all topics and groups of the live path, and the books, stand where they stood before the work. What ran on this stack before may
   * still move an offset now and then, so one time of three is enough: what the work itself moves it moves each time.
   */
  async movesNothing(work: () => Promise<void>): Promise<boolean> {
    for (let tries = 0; tries < TRIES; tries++) {
      const before = await this.#settled();
      await work();
      if (isDeepStrictEqual(await this.#settled(), before)) return true;
    }
    return false;
  }

  /** Where the live path and the books stand, once nothing moves. */
  async #settled(): Promise<object[]> {
    for (let last = ''; ; await pause(SETTLED_MS)) {
      const now = [
        ...(await this.json<object[]>('lag', '--tracks', 'v1,v2')),
        ...(await this.#stack.query<object>(BOOKS)),
      ];
      if (JSON.stringify(now) === last) return now;
      last = JSON.stringify(now);
    }
  }
}
