import {
  compare,
  countByRun,
  countRows,
  Journal,
  type LoadTotals,
  runLoad,
  type TimeRange,
  untilStored,
  type Verdict,
} from '@weir/bench-load';
import { createRandom, pause } from '@weir/testkit';
import { faultLoad } from './fault-load.ts';
import type { FaultStack } from './fault-stack.ts';
import type { Check, FaultRow, Figures } from './rows/row.ts';
import { Stacks } from './stacks.ts';

export interface RunOptions {
  readonly seeds: number;
  /** Spans a second. */
  readonly rate: number;
  /** How long the load goes on at least once the fault has struck. */
  readonly seconds: number;
  /** Where the row gets its stack from; one of its own where it is left out. */
  readonly stacks?: Stacks;
  /** Called for each seed once the row has ended; for the seeds that were run also when the row then fails. */
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
  /**
   * Stored items of the books less the rows in the table, and accepted less stored less dead-lettered: over all seeds, looked at
   * once they have ended, so it is 0 in all but the last.
   */
  readonly books: number;
  /** From the end of the load until all acknowledged items could be queried, s; {@link RECOVERY_S_MAX} where they could not. */
  readonly recoveryS: number;
  /** Answers that make an SDK drop its data. */
  readonly notRetryable: number;
  readonly reasons: Readonly<Record<string, number>>;
  /** What the row's own checks measured; not there in results from before there were such checks. */
  readonly figures?: Figures;
  /** Whether an answer was seen that the row expects; undefined where it expects none. */
  readonly expected?: boolean;
}

/** A seed whose load has ended and whose acknowledged items can be queried. */
interface LoadedSeed {
  readonly seed: number;
  readonly run: string;
  readonly journal: Journal;
  readonly totals: LoadTotals;
  /** Undefined where the items have times of their own. */
  readonly range: TimeRange | undefined;
  readonly recoveryS: number;
  readonly figures: Figures;
}

const LOAD_S_MAX = 600;
const RECOVERY_S_MAX = 120;
const SETTLE_MS = 2_500;
/** The items' own times are milliseconds of the generator. */
const RANGE_SLACK_MS = 1_000;
/** What SDKs try again: the OTLP specification's list (gRPC 8 only with RetryInfo), and a connection that broke. */
export const RETRYABLE = /^(HTTP (429|502|503|504)|gRPC (1|4|8|10|11|14|15)|[A-Z]+_[A-Z_]+|ECONN\w+|failed|UND_\w+)$/;

/** Whether a result keeps the promise. */
export function isKept(result: SeedResult): boolean {
  const { lost, doubled, alien, misplaced, notRetryable, books, recoveryS, expected } = result;
  const off = lost + doubled + alien + misplaced + notRetryable + Math.abs(books);
  return off === 0 && recoveryS < RECOVERY_S_MAX && expected !== false;
}

/**
 * Runs a row on one stack: for each seed a load, the fault in the middle of it, and the wait until what was acknowledged
 * can be queried; at the end, when late copies had time to arrive, each seed's journal is compared with the tables.
 *
 * @throws when the stack does not start or a fault cannot be injected; what the seeds before it showed is told first
 */
export async function runRow(row: FaultRow, options: RunOptions): Promise<SeedResult[]> {
  const stacks = options.stacks ?? new Stacks({ shared: false });
  // What a row has prepared stays: no other row gets that stack.
  if (row.prepare !== undefined) await stacks.close();
  const faults = await stacks.take(row, options.seeds);
  const loaded: LoadedSeed[] = [];
  let results: SeedResult[] = [];
  let failure: unknown;
  try {
    await row.prepare?.(faults);
    for (let seed = 1; seed <= options.seeds; seed++) {
      const one = await loadSeed(row, faults, seed, options);
      loaded.push(one);
      if (one.recoveryS >= RECOVERY_S_MAX) break;
    }
  } catch (error) {
    failure = error;
  }
  try {
    results = await checkSeeds(row, faults, loaded, options.rate);
    for (const result of results) options.onSeed(result);
  } catch (error) {
    failure ??= error;
  } finally {
    await stacks.give(row.prepare === undefined && failure === undefined && results.every(isKept));
  }
  if (failure !== undefined) throw failure;
  return results;
}

async function loadSeed(row: FaultRow, faults: FaultStack, seed: number, options: RunOptions): Promise<LoadedSeed> {
  const random = createRandom(seed);
  const { stack } = faults;
  const { clickhouse } = stack.local;
  const journal = new Journal();
  const loading = new AbortController();
  const rowsBefore = await countRows(clickhouse);
  const fromMs = Date.now() - RANGE_SLACK_MS;
  const started = Promise.withResolvers<LoadTotals>();
  const own = row.load?.(faults, options.rate) ?? {};
  const load = runLoad(
    { ...faultLoad(stack, options.rate, LOAD_S_MAX), ...own },
    { onStart: started.resolve, onFate: (fate) => journal.add(fate), signal: loading.signal },
  );
  const checks: Check[] = [];
  const running = { totals: await started.promise, afterwards: (check: Check) => void checks.push(check) };
  try {
    await pause(500 + random() * 1_000);
    await Promise.all([row.strike(faults, random, running), pause(options.seconds * 1_000)]);
    await pause(1_500 + random() * 500);
  } finally {
    loading.abort();
    await load;
  }
  const { run, totals } = await load;
  const endedMs = performance.now();
  const range = own.timeMs === undefined ? { fromMs, toMs: Date.now() + RANGE_SLACK_MS } : undefined;
  const known = { rowsBefore, ...(range === undefined ? {} : { range }) };
  const storedMs = await untilStored(clickhouse, run, journal, RECOVERY_S_MAX * 1_000, known);
  const recoveryS = storedMs === undefined ? RECOVERY_S_MAX : (storedMs - endedMs) / 1_000;
  const reasons = Object.fromEntries(totals.reasons);
  const figures = Object.assign({}, ...(await Promise.all(checks.map((check) => check(reasons))))) as Figures;
  return { seed, run, journal, totals, range, recoveryS, figures };
}

/** Compares the journals with the tables after everything had time to arrive: a second copy, too. */
async function checkSeeds(
  row: FaultRow,
  { stack }: FaultStack,
  loaded: readonly LoadedSeed[],
  rate: number,
): Promise<SeedResult[]> {
  if (loaded.length === 0) return [];
  await pause(SETTLE_MS);
  const { clickhouse } = stack.local;
  const results: SeedResult[] = [];
  for (const one of loaded) {
    const verdict = await compare(clickhouse, one.run, one.journal, one.range);
    const result = toResult(row.name, one, rate, verdict);
    const expected = row.expects && {
      expected: Object.keys(result.reasons).some((reason) => row.expects!.test(reason)),
    };
    results.push({ ...result, ...expected, books: 0, figures: one.figures });
  }
  // Rows of a run that carry another time than its items had would not have been seen.
  const rows = await countByRun(clickhouse);
  const books = await booksOff(stack);
  return results.map((result, index) => {
    const elsewhere = (rows.get(loaded[index]!.run) ?? 0) - result.stored;
    return { ...result, alien: result.alien + elsewhere, books: index === results.length - 1 ? books : 0 };
  });
}

/** By how much the books of the tenants are off, over everything that the stack has taken. */
async function booksOff(stack: FaultStack['stack']): Promise<number> {
  const [row] = await stack.query<{ off: string }>(
    `SELECT sum(abs(Accepted - Stored - DeadLettered) + abs(Stored - Rows)) AS off FROM (
       SELECT TenantId, toInt64(sumIf(Items, Outcome = 'accepted')) AS Accepted,
         toInt64(sumIf(Items, Outcome = 'stored')) AS Stored, toInt64(sumIf(Items, Outcome = 'dead_lettered')) AS DeadLettered
       FROM weir_usage WHERE Signal = 'traces' GROUP BY TenantId) AS books
     FULL JOIN (SELECT TenantId, toInt64(count()) AS Rows FROM otel_traces GROUP BY TenantId) AS stored USING (TenantId)`,
  );
  return Number(row?.off ?? 0);
}

function toResult(
  row: string,
  { seed, totals, recoveryS }: LoadedSeed,
  rate: number,
  verdict: Verdict,
): Omit<SeedResult, 'books' | 'figures'> {
  const reasons = Object.fromEntries(totals.reasons);
  const bad = Object.entries(reasons).filter(([reason]) => !RETRYABLE.test(reason));
  const { stored, lost, doubled, alien, misplaced } = verdict;
  const notRetryable = bad.reduce((sum, [, items]) => sum + items, 0);
  const { sentItems: sent, acceptedItems: acked } = totals;
  return { row, seed, rate, sent, acked, stored, lost, doubled, alien, misplaced, recoveryS, notRetryable, reasons };
}
