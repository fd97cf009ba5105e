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
  #kept: { readonly stack: Promise<FaultStack>; readonly settings: string; seeds: number } | undefined;
  #closed: Promise<void> = Promise.resolve();
  #over = false;

  constructor(options: { readonly shared: boolean }) {
    this.#shared = options.shared;
  }

  /** Whether {@link end} was called: what rows show from then on says nothing. */
  get over(): boolean {
    return this.#over;
  }

  /** Starts one where none fits; a start that fails is tried once more. @throws after {@link end} */
  async take({ env = {}, ownDisk }: StackNeeds, seeds: number): Promise<FaultStack> {
    const needs: StackNeeds = ownDisk === undefined ? { env } : { env, ownDisk };
    const settings = JSON.stringify(needs);
    if (this.#kept !== undefined && (this.#kept.settings !== settings || this.#kept.seeds + seeds > SEEDS_PER_STACK)) {
      await this.close();
    }
    if (this.#over) throw new Error('no more stacks are started');
    this.#kept ??= { stack: start(needs), settings, seeds: 0 };
    this.#kept.seeds += seeds;
    try {
      return await this.#kept.stack;
    } catch (error) {
      this.#kept = undefined;
      throw error;
    }
  }

  /** After a row. */
  async give(good: boolean): Promise<void> {
    if (!this.#shared || !good) await this.close();
  }

  /** Stops what runs. Resolves when everything has stopped, what an earlier call began to stop as well. */
  close(): Promise<void> {
    const kept = this.#kept;
    this.#kept = undefined;
    const before = this.#closed.catch(() => undefined);
    this.#closed = before.then(async () => {
      // One that did not start has undone what it began.
      const stack = await kept?.stack.catch(() => undefined);
      await stack?.stop();
    });
    return this.#closed;
  }

  /** Stops what runs, and starts nothing more. */
  async end(): Promise<void> {
    this.#over = true;
    await this.close();
  }
}

async function start(needs: StackNeeds): Promise<FaultStack> {
  const random = createRandom(1);
  return FaultStack.start(needs, random).catch(() => FaultStack.start(needs, random));
}
