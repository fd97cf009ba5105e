import { systemClock } from '@weir/pipeline';
import { agreed, checkAskable } from '../agreed.ts';
import { type Context, UsageError } from '../context.ts';
import { longSignal } from '../long-signal.ts';
import { Pacer } from '../pacer.ts';
import { ProgressLine } from '../progress-line.ts';
import { readRate } from '../rate.ts';
import { Refused } from '../refused.ts';
import { readDirectory } from '../tenants-topic.ts';
import { type DoneBatch, ReplayJournal } from './journal.ts';
import { makePlan, type PlanOptions, readWanted } from './make-plan.ts';
import { type ReplayPlan, totalsOf } from './plan.ts';
import { printPlan } from './print-plan.ts';
import { ReplayDead } from './replay-dead.ts';
import { Replayer } from './replayer.ts';
import { createShadow } from './shadow-tables.ts';
import { transcoderDigest } from './transcoder-digest.ts';

export interface ReplayOptions extends PlanOptions {
  readonly shadow?: boolean;
  readonly rate: string;
  readonly dryRun?: boolean;
  readonly yes?: boolean;
}

/** Plans a replay, shows the plan, asks, and carries it out. */
export async function replay(context: Context, options: ReplayOptions): Promise<number> {
  if (options.shadow !== true) throw new UsageError('say --shadow: a replay writes shadow tables only');
  const rate = readRate(options.rate);
  const wanted = readWanted(options);
  if (options.dryRun !== true) checkAskable(context, options.yes);
  const signal = longSignal(context);
  const plan = await makePlan(context, wanted, new Pacer(rate, systemClock), signal);
  printPlan(context, plan, options.dryRun === true);
  if (options.dryRun === true) return 0;
  if (!(await agreed(context, options.yes, 'Go on?'))) return 1;
  const clickhouse = context.clickhouse();
  const target = { database: context.database, cluster: context.cluster };
  const journal = new ReplayJournal(clickhouse, context.database);
  await journal.planned(plan, signal);
  await createShadow(clickhouse, target, plan, signal);
  return run(context, plan, [], rate, signal);
}

/** Goes on with a replay where its journal ends. */
export async function resume(context: Context, id: string, options: { readonly rate: string }): Promise<number> {
  const rate = readRate(options.rate);
  const signal = longSignal(context);
  const clickhouse = context.clickhouse();
  const { plan, batches, isDone } = await new ReplayJournal(clickhouse, context.database).read(id, signal);
  if (!isDone && plan.transcoder !== transcoderDigest()) {
    throw new Refused(
      `${id} was begun by another release of ingestctl, and its shadow would hold rows of two transcoders: start a new replay, and ingestctl shadow drop ${id}`,
    );
  }
  printPlan(context, plan);
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
    context.outside.out(`${JSON.stringify({ event: 'done', id, rows, dead, repeated, batches: batches.length })}\n`);
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
