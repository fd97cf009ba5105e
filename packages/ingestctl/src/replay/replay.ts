import { randomBytes } from 'node:crypto';
import { SIGNALS, systemClock } from '@weir/pipeline';
import { isTrack, trackTopics } from '@weir/records';
import { agreed } from '../agreed.ts';
import { type Context, UsageError } from '../context.ts';
import { longSignal } from '../long-signal.ts';
import { oneOf } from '../options.ts';
import { readDirectory } from '../tenants-topic.ts';
import { type DoneBatch, ReplayJournal } from './journal.ts';
import { Pacer } from './pacer.ts';
import { type PartitionPlan, type ReplayFilter, type ReplayPlan, tablesOf, totalsOf } from './plan.ts';
import { printPlan } from './print-plan.ts';
import { ProgressLine } from './progress-line.ts';
import { ReplayDead } from './replay-dead.ts';
import { Replayer } from './replayer.ts';
import { createShadow } from './shadow-tables.ts';
import { survey } from './survey.ts';
import { checkPartitions, Refused, readWindow, timeText } from './window.ts';

export interface ReplayOptions {
  readonly shadow?: boolean;
  readonly from?: string;
  readonly to?: string;
  readonly track: string;
  readonly partition: readonly string[];
  readonly tenant: readonly string[];
  readonly signal: readonly string[];
  readonly rate: string;
  readonly dryRun?: boolean;
  readonly yes?: boolean;
}

const ID_BYTES = 2;
const RATE_MAX = 10_000_000;

/** Plans a replay, shows the plan, asks, and carries it out. */
export async function replay(context: Context, options: ReplayOptions, signal: AbortSignal): Promise<number> {
  if (options.shadow !== true) throw new UsageError('say --shadow: a replay writes shadow tables only');
  const rate = rateOf(options.rate);
  const long = longSignal(context);
  const plan = await planOf(context, options, signal, long);
  if (options.dryRun === true || context.options.json !== true) printPlan(context, plan);
  if (options.dryRun === true) return 0;
  if (!(await agreed(context, options.yes, 'Go on?'))) return 1;
  const clickhouse = context.clickhouse();
  const target = { database: context.database, cluster: context.cluster };
  const journal = new ReplayJournal(clickhouse, context.database);
  await journal.planned(plan, long);
  await createShadow(clickhouse, target, plan, long);
  return run(context, plan, [], rate, long);
}

/** Goes on with a replay where its journal ends. */
export async function resume(context: Context, id: string, options: { readonly rate: string }): Promise<number> {
  const rate = rateOf(options.rate);
  const signal = longSignal(context);
  const clickhouse = context.clickhouse();
  const { plan, batches } = await new ReplayJournal(clickhouse, context.database).read(id, signal);
  await createShadow(clickhouse, { database: context.database, cluster: context.cluster }, plan, signal);
  return run(context, plan, batches, rate, signal);
}

async function run(
  context: Context,
  plan: ReplayPlan,
  done: readonly DoneBatch[],
  rate: number,
  signal: AbortSignal,
): Promise<number> {
  const { outside } = context;
  const log = context.kafkaLog();
  const clickhouse = context.clickhouse();
  const journal = new ReplayJournal(clickhouse, context.database);
  const directory = await readDirectory(log, signal);
  const progress = new ProgressLine(outside, context.options.json !== true, () => systemClock.nowMs());
  const total = totalsOf(plan).items;
  const before = done.reduce((sum, { tally }) => sum + itemsOf(tally), 0);
  let items = before;
  const replayer = new Replayer(plan, {
    log,
    clickhouse,
    journal,
    dead: new ReplayDead(clickhouse, { database: context.database, cluster: context.cluster }, plan.id),
    tenantOf: (name) => directory.get(name),
    pacer: new Pacer(rate, systemClock),
    clock: systemClock,
    onBatch: (_, more) => {
      items += more;
      progress.draw(items, total, before);
    },
  });
  try {
    await replayer.run(done, signal);
  } catch (error) {
    progress.end();
    outside.err(`the replay stands still; go on with: ingestctl replay resume ${plan.id}\n`);
    throw error;
  }
  progress.end();
  await journal.told(plan.id, 'done', {}, signal);
  printDone(context, plan.id, (await journal.read(plan.id, signal)).batches);
  return 0;
}

function itemsOf({ rows, dead }: DoneBatch['tally']): number {
  return [...Object.values(rows), ...Object.values(dead)].reduce((sum, count) => sum + count, 0);
}

function printDone(context: Context, id: string, batches: readonly DoneBatch[]): void {
  const sum = (counts: readonly Readonly<Record<string, number>>[]) => {
    const sums: Record<string, number> = {};
    for (const each of counts) for (const [name, count] of Object.entries(each)) sums[name] = (sums[name] ?? 0) + count;
    return sums;
  };
  const rows = sum(batches.map(({ tally }) => tally.rows));
  const dead = sum(batches.map(({ tally }) => tally.dead));
  const repeated = batches.reduce((count, { tally }) => count + tally.repeated, 0);
  if (context.options.json === true) {
    context.outside.out(`${JSON.stringify({ id, rows, dead, repeated, batches: batches.length })}\n`);
    return;
  }
  const list = (counts: Record<string, number>) =>
    Object.entries(counts)
      .map(([name, count]) => `${name} ${count}`)
      .join(', ') || 'none';
  const lines = [
    `replayed as ${id}`,
    `rows: ${list(rows)}`,
    `items that cannot be stored, and were not sent to weir.dlq again: ${list(dead)}`,
    `repeated records dropped: ${repeated}`,
    `next: ingestctl shadow compare ${id}`,
  ];
  context.outside.out(`${lines.join('\n')}\n`);
}

async function planOf(
  context: Context,
  options: ReplayOptions,
  signal: AbortSignal,
  long: AbortSignal,
): Promise<ReplayPlan> {
  const { track } = options;
  if (!isTrack(track)) throw new UsageError('--track must be v1, v2, …');
  if (options.from === undefined || options.to === undefined) throw new UsageError('give --from and --to');
  const window = readWindow(options.from, options.to);
  const filter = filterOf(options);
  const topic = trackTopics(track).raw;
  const [state] = await context.kafkaAdmin().describe([topic]);
  if (state === undefined || state.state === 'missing')
    throw new Refused(`there is no track ${track}: ${topic} does not exist`);
  const partitions = partitionsOf(options.partition, state.partitions);
  checkPartitions(window, partitions);
  const log = context.kafkaLog();
  signal.throwIfAborted();
  const progress = new ProgressLine(context.outside, context.options.json !== true, () => systemClock.nowMs());
  let read = 0;
  const found: PartitionPlan[] = [];
  let received: readonly [bigint, bigint] | undefined;
  for (const partition of partitions) {
    const surveyed = await survey(log, track, partition, window, filter, long, (records) => {
      read += records;
      progress.draw(read, 0);
    });
    if (surveyed === undefined) continue;
    const [least, most] = surveyed.receivedNs;
    received = received === undefined ? [least, most] : [min(received[0], least), max(received[1], most)];
    found.push(surveyed.plan);
  }
  progress.end();
  if (received === undefined) throw new Refused('there is nothing to replay in this window');
  const day = (atNs: bigint) => timeText(atNs).slice(0, 10);
  const days = [day(received[0]), day(received[1])] as const;
  return { id: newId(), track, filter, partitions: found, tables: tablesOf(filter), days };
}

function filterOf({ tenant, signal }: ReplayOptions): ReplayFilter {
  return { tenants: tenant, signals: oneOf('--signal', signal, SIGNALS) };
}

function partitionsOf(given: readonly string[], count: number): number[] {
  if (given.length === 0) return Array.from({ length: count }, (_, partition) => partition);
  const numbers = given.map((text) => (/^\d{1,6}$/.test(text) ? Number(text) : Number.NaN));
  if (numbers.some((number) => !(number < count))) throw new UsageError(`--partition must be from 0 to ${count - 1}`);
  return [...new Set(numbers)].sort((a, b) => a - b);
}

function rateOf(text: string): number {
  if (text === 'max') return Number.POSITIVE_INFINITY;
  const value = Number(text);
  if (Number.isFinite(value) && value >= 1 && value <= RATE_MAX) return value;
  throw new UsageError(`--rate must be items a second, from 1 to ${RATE_MAX}, or max`);
}

function newId(): string {
  const time = new Date().toISOString().replaceAll(/[-:]/g, '').replace('T', '_').slice(0, 15);
  return `${time}_${randomBytes(ID_BYTES).toString('hex')}`;
}

function min(a: bigint, b: bigint): bigint {
  return a < b ? a : b;
}

function max(a: bigint, b: bigint): bigint {
  return a > b ? a : b;
}
