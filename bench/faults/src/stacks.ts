import { createRandom } from '@weir/testkit';
import { FaultStack, type StackNeeds } from './fault-stack.ts';

/** Where ClickHouse's own merges begin to show beside the load. */
const SEEDS_PER_STACK = 60;

/**
 * Gives each row the stack that it runs on. Each gets one of its own, or, where they are shared, rows with the same
 * settings get the same one until it has served for long or a row on it went wrong.
 */
export class Stacks {
  readonly #shared: boolean;
  #kept: { readonly stack: FaultStack; readonly settings: string; seeds: number } | undefined;

  constructor(options: { readonly shared: boolean }) {
    this.#shared = options.shared;
  }

  /** Starts one where none fits; a start that fails is tried once more. */
  async take({ env = {}, ownDisk }: StackNeeds, seeds: number): Promise<FaultStack> {
    const needs: StackNeeds = ownDisk === undefined ? { env } : { env, ownDisk };
    const settings = JSON.stringify(needs);
    if (this.#kept !== undefined && (this.#kept.settings !== settings || this.#kept.seeds + seeds > SEEDS_PER_STACK)) {
      await this.close();
    }
    this.#kept ??= { stack: await start(needs), settings, seeds: 0 };
    this.#kept.seeds += seeds;
    return this.#kept.stack;
  }

  /** After a row. */
  async give(good: boolean): Promise<void> {
    if (!this.#shared || !good) await this.close();
  }

  async close(): Promise<void> {
    const kept = this.#kept;
    this.#kept = undefined;
    await kept?.stack.stop();
  }
}

async function start(needs: StackNeeds): Promise<FaultStack> {
  const random = createRandom(1);
  return FaultStack.start(needs, random).catch(() => FaultStack.start(needs, random));
}
