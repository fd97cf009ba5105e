import { randomBytes } from 'node:crypto';
import { itemId, PayloadMaker } from './payload.ts';
import type { LoadOptions } from './run-load.ts';
import { createSender } from './sender.ts';
import { isStored } from './verify.ts';

const EVERY_MS = 1_000;
const POLL_MS = 50;
const TIMEOUT_MS = 30_000;

/** Measures the time from an answer to the row's being queryable, with single spans of its own beside the load. */
export class ProbeMeter {
  readonly #clickhouse: { readonly url: string; readonly database: string };
  readonly #options: LoadOptions;
  readonly #times: number[] = [];
  #stopped = false;
  #running: Promise<void> | undefined;

  constructor(clickhouse: { readonly url: string; readonly database: string }, options: LoadOptions) {
    this.#clickhouse = clickhouse;
    this.#options = options;
  }

  start(): void {
    this.#running = this.#run();
  }

  /** Milliseconds from answer to queryable, sorted. */
  async stop(): Promise<readonly number[]> {
    this.#stopped = true;
    await this.#running;
    return this.#times.toSorted((a, b) => a - b);
  }

  async #run(): Promise<void> {
    const sender = createSender(this.#options.target, 'http', { compression: 'none', connections: 1 });
    while (!this.#stopped) {
      const run = `probe${randomBytes(4).toString('hex')}`;
      const { body } = new PayloadMaker('traces', run, 0, 0).make(1);
      const sent = await sender.send('traces', body, this.#options.tenants[0]!.key);
      if (sent.kind === 'accepted') await this.#wait(itemId(run, 0, 0));
      await new Promise((resolve) => setTimeout(resolve, EVERY_MS));
    }
    await sender.close();
  }

  async #wait(id: string): Promise<void> {
    const answeredMs = performance.now();
    while (performance.now() - answeredMs < TIMEOUT_MS) {
      if (await isStored(this.#clickhouse, id).catch(() => false)) {
        this.#times.push(performance.now() - answeredMs);
        return;
      }
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  }
}
