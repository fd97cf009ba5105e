import { Journal, runLoad, type Store, type Verdict, verify } from '@weir/bench-load';
import type { TestStack } from '@weir/testkit';
import { type DurationJournal, sendDurations } from './durations.ts';

const STORED_MS_MAX = 60_000;
const PRODUCERS_PER_TENANT = 6;
const ITEMS_PER_EXPORT = 10;

/** What became of everything that is not a duration. */
export interface TrafficVerdict extends Verdict {
  readonly sent: number;
  readonly accepted: number;
}

/**
 * The tenants' clients, over HTTP and gRPC through Envoy: half of what they send are durations, half are spans, log records and
 * counts, which the bug does not touch.
 */
export class Traffic {
  readonly durations: DurationJournal = { points: new Map(), refused: new Map() };
  readonly #journal = new Journal();
  readonly #ending = new AbortController();
  readonly #store: Store;
  readonly #load: ReturnType<typeof runLoad>;
  readonly #durationsSent: Promise<void>;

  /** Begins at once. @param rate items a second of all tenants */
  constructor(stack: TestStack, names: readonly string[], rate: number) {
    const { signal } = this.#ending;
    const target = { ...stack.local.otlp, ca: stack.ca };
    const tenants = names.map((name) => ({ name, key: stack.key(name), weight: 1 }));
    const producers = PRODUCERS_PER_TENANT * tenants.length;
    this.#store = stack.local.clickhouse;
    this.#load = runLoad(
      {
        target,
        tenants,
        producers,
        rate: rate / 2 / producers,
        seconds: 24 * 3_600,
        itemsPerExport: ITEMS_PER_EXPORT,
        transports: ['http', 'grpc'],
        signals: ['traces', 'logs', 'metrics'],
        errors: 0.01,
        gzip: true,
        connections: 1,
        outstandingMax: 200,
      },
      { onFate: (fate) => this.#journal.add(fate), signal },
    );
    this.#durationsSent = sendDurations({ target, tenants, rate: rate / 2 }, this.durations, signal);
  }

  /** Ends it, waits until all that was accepted can be queried, and says what became of all but the durations. */
  async end(): Promise<TrafficVerdict> {
    this.#ending.abort();
    const [{ run, totals }] = await Promise.all([this.#load, this.#durationsSent]);
    const verdict = await verify(this.#store, run, this.#journal, STORED_MS_MAX);
    return { ...verdict, sent: totals.sentItems, accepted: totals.acceptedItems };
  }
}
