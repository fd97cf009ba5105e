import { createSender, itemId, PayloadMaker, type Percentiles } from '@weir/bench-load';
import type { TestStack } from '@weir/testkit';

/** Whose probes are: under a tenant of their own they are found in few granules, however much else is stored. */
export const PROBE_TENANT = 'probe';

const EVERY_MS = 200;
/** Each look costs ClickHouse as much as some thousand rows; what is seen is at most this much too late. */
const POLL_MS = 500;
/** What cannot be queried by then counts as having taken this long. */
const GIVE_UP_MS = 60_000;

/** What the probes showed. */
export interface Queryable {
  readonly times: Percentiles;
  readonly probes: number;
}

/** Sends a span every 200 ms beside a load, whatever became of the earlier ones, and finds out when each can be queried. */
export class QueryableMeter {
  readonly #stack: TestStack;
  readonly #maker: PayloadMaker;
  readonly #run: string;
  readonly #sinceMs = Date.now();
  /** When those were answered that cannot be queried yet. */
  readonly #answered = new Map<string, number>();
  readonly #times: number[] = [];
  #stopped = false;
  #running: Promise<unknown> | undefined;

  constructor(stack: TestStack, run: string) {
    this.#stack = stack;
    this.#run = run;
    this.#maker = new PayloadMaker('traces', run, 0, 0);
  }

  start(): void {
    this.#running = Promise.all([this.#send(), this.#look()]);
  }

  /** Ends once every probe that was answered can be queried, or has taken too long. */
  async stop(): Promise<Queryable> {
    this.#stopped = true;
    await this.#running;
    const sorted = this.#times.toSorted((a, b) => a - b);
    const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
    return { times: { p50: at(0.5), p95: at(0.95), p99: at(0.99), max: at(1) }, probes: sorted.length };
  }

  async #send(): Promise<void> {
    const target = { ...this.#stack.local.otlp, ca: this.#stack.ca };
    const sender = createSender(target, 'http', { compression: 'none', connections: 4 });
    const flying: Promise<void>[] = [];
    const key = this.#stack.key(PROBE_TENANT);
    while (!this.#stopped) {
      const { body, first } = this.#maker.make(1);
      flying.push(
        sender.send('traces', body, key).then((sent) => {
          if (sent.kind === 'accepted') this.#answered.set(itemId(this.#run, 0, first), performance.now());
        }),
      );
      await pause(EVERY_MS);
    }
    await Promise.all(flying);
    await sender.close();
  }

  async #look(): Promise<void> {
    while (!this.#stopped || this.#answered.size > 0) {
      await pause(POLL_MS);
      if (this.#answered.size === 0) continue;
      const where = `TenantId = '${PROBE_TENANT}' AND Timestamp >= fromUnixTimestamp64Milli(${this.#sinceMs - 1_000})`;
      const sql = `SELECT SpanAttributes['weir.load.id'] AS id FROM otel_traces WHERE ${where}`;
      const rows = await this.#stack.query<{ id: string }>(sql).catch(() => []);
      const nowMs = performance.now();
      for (const { id } of rows) this.#found(id, nowMs);
      for (const [id, atMs] of this.#answered) if (nowMs - atMs > GIVE_UP_MS) this.#found(id, nowMs);
    }
  }

  #found(id: string, nowMs: number): void {
    const atMs = this.#answered.get(id);
    if (atMs === undefined) return;
    this.#answered.delete(id);
    this.#times.push(nowMs - atMs);
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
