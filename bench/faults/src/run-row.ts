import { Journal, type LoadTotals, runLoad, type Verdict, verify } from '@weir/bench-load';
import { createRandom, pause } from '@weir/testkit';
import { FaultStack } from './fault-stack.ts';
import type { FaultRow } from './rows/row.ts';

export interface RunOptions {
  readonly seeds: number;
  /** Spans a second. */
  readonly rate: number;
  readonly seconds: number;
  readonly onSeed: (result: SeedResult) => void;
}

/** What one seed of one row showed. */
export interface SeedResult {
  readonly row: string;
  readonly seed: number;
  readonly rate: number;
  readonly sent: number;
  readonly acked: number;
  readonly stored: number;
  readonly lost: number;
  readonly doubled: number;
  readonly alien: number;
  readonly misplaced: number;
  /** Stored items of the books less the rows in the table, and accepted less stored less dead-lettered. */
  readonly books: number;
  /** From the end of the load until all acknowledged items could be queried, s. */
  readonly recoveryS: number;
  /** Answers that make an SDK drop its data. */
  readonly notRetryable: number;
  readonly reasons: Readonly<Record<string, number>>;
  /** Whether an answer was seen that the row expects; undefined where it expects none. */
  readonly expected?: boolean;
}

const PRODUCERS = 40;
const ITEMS_PER_EXPORT = 200;
const RECOVERY_MS = 120_000;
const SETTLE_MS = 2_500;
/** What SDKs try again: the OTLP specification's list, and a connection that broke. */
const RETRYABLE = /^(HTTP (429|502|503|504)|gRPC (1|4|8|10|11|14|15)|[A-Z]+_[A-Z_]+|ECONN\w+|failed|UND_\w+)$/;

/** Whether a result keeps the promise. */
export function isKept({ lost, doubled, alien, misplaced, notRetryable, books, expected }: SeedResult): boolean {
  return lost + doubled + alien + misplaced + notRetryable === 0 && books === 0 && expected !== false;
}

/** Runs a row: one stack, and for each seed a load, the fault in the middle of it, and the count afterwards. */
export async function runRow(row: FaultRow, options: RunOptions): Promise<SeedResult[]> {
  const results: SeedResult[] = [];
  const stack = await FaultStack.start(row, createRandom(options.seeds));
  try {
    for (let seed = 1; seed <= options.seeds; seed++) {
      const result = await runSeed(row, stack, seed, options);
      results.push(result);
      options.onSeed(result);
    }
  } finally {
    await stack.stop();
  }
  return results;
}

async function runSeed(row: FaultRow, faults: FaultStack, seed: number, options: RunOptions): Promise<SeedResult> {
  const random = createRandom(seed);
  const { stack } = faults;
  const journal = new Journal();
  const loading = new AbortController();
  const load = runLoad(
    {
      target: { ...stack.local.otlp, ca: stack.ca },
      tenants: [{ name: 'demo', key: stack.key('demo'), weight: 1 }],
      producers: PRODUCERS,
      rate: options.rate / PRODUCERS,
      seconds: 600,
      itemsPerExport: ITEMS_PER_EXPORT,
      transports: ['http', 'grpc'],
      signals: ['traces'],
      errors: 0.05,
      gzip: true,
      connections: 4,
      outstandingMax: 400,
    },
    { onFate: (fate) => journal.add(fate), signal: loading.signal },
  );
  await pause(1_000 + random() * 2_000);
  const struck = row.strike(faults, random);
  await Promise.all([struck, pause(options.seconds * 1_000)]);
  await pause(1_000 + random() * 1_000);
  loading.abort();
  const { run, totals } = await load;
  const endedMs = performance.now();
  let verdict = await verify(stack.local.clickhouse, run, journal, RECOVERY_MS);
  const recoveryS = (performance.now() - endedMs) / 1_000;
  // What comes late would come now: a second copy is looked for after everything had time to arrive.
  await pause(SETTLE_MS);
  verdict = await verify(stack.local.clickhouse, run, journal, RECOVERY_MS);
  const result = toResult(row.name, seed, options.rate, totals, verdict, recoveryS);
  const expected = row.expects && { expected: Object.keys(result.reasons).some((reason) => row.expects!.test(reason)) };
  return { ...result, ...expected, books: await booksOff(stack) };
}

/** By how much the books of the tenant are off, over all seeds so far. */
async function booksOff(stack: FaultStack['stack']): Promise<number> {
  const [row] = await stack.query<{ off: string }>(
    `WITH sumIf(Items, Outcome = 'accepted') AS accepted, sumIf(Items, Outcome = 'stored') AS stored,
       (SELECT count() FROM otel_traces WHERE TenantId = 'demo') AS rows
     SELECT abs(toInt64(accepted) - toInt64(stored) - toInt64(sumIf(Items, Outcome = 'dead_lettered')))
       + abs(toInt64(stored) - toInt64(rows)) AS off
     FROM weir_usage WHERE TenantId = 'demo' AND Signal = 'traces'`,
  );
  return Number(row?.off ?? 0);
}

function toResult(
  row: string,
  seed: number,
  rate: number,
  totals: LoadTotals,
  verdict: Verdict,
  recoveryS: number,
): Omit<SeedResult, 'books'> {
  const reasons = Object.fromEntries(totals.reasons);
  const bad = Object.entries(reasons).filter(([reason]) => !RETRYABLE.test(reason));
  const { stored, lost, doubled, alien, misplaced } = verdict;
  const notRetryable = bad.reduce((sum, [, items]) => sum + items, 0);
  const { sentItems: sent, acceptedItems: acked } = totals;
  return { row, seed, rate, sent, acked, stored, lost, doubled, alien, misplaced, recoveryS, notRetryable, reasons };
}
