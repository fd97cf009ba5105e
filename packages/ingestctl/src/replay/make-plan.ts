import { randomBytes } from 'node:crypto';
import type { KafkaLog } from '@weir/kafka';
import { SIGNALS, systemClock } from '@weir/pipeline';
import { isTrack, trackTopics } from '@weir/records';
import { type Context, UsageError } from '../context.ts';
import { oneOf } from '../options.ts';
import type { Pacer } from '../pacer.ts';
import { ProgressLine } from '../progress-line.ts';
import { Refused } from '../refused.ts';
import { readDirectory } from '../tenants-topic.ts';
import { timeText } from '../times.ts';
import { emptiedText, type PartitionPlan, type ReplayFilter, type ReplayPlan, tablesOf } from './plan.ts';
import { type Surveyed, survey } from './survey.ts';
import { transcoderDigest } from './transcoder-digest.ts';
import { checkPartitions, readWindow, type Window } from './window.ts';

/** What is replayed, as it is given. */
export interface PlanOptions {
  readonly from?: string;
  readonly to?: string;
  readonly track: string;
  readonly partition: readonly string[];
  readonly tenant: readonly string[];
  readonly signal: readonly string[];
}

/** What was asked for, as far as the command line says. */
export interface Wanted {
  readonly track: string;
  readonly window: Window;
  readonly filter: ReplayFilter;
  /** Empty: all. */
  readonly partitions: readonly number[];
}

const ID_BYTES = 2;

/** @throws UsageError where the options are of no use, whatever the log holds */
export function readWanted({ track, from, to, partition, tenant, signal }: PlanOptions): Wanted {
  if (!isTrack(track)) throw new UsageError('--track must be v1, v2, …');
  if (from === undefined || to === undefined) throw new UsageError('give --from and --to');
  const window = readWindow(from, to, systemClock.wallNs());
  const numbers = partition.map((text) => (/^\d{1,6}$/.test(text) ? Number(text) : Number.NaN));
  if (numbers.some(Number.isNaN)) throw new UsageError('--partition must be a whole number');
  const filter = { tenants: tenant, signals: oneOf('--signal', signal, SIGNALS) };
  return { track, window, filter, partitions: [...new Set(numbers)].sort((a, b) => a - b) };
}

/**
 * Reads the window and says what is in it.
 * @param pacer holds the reading to the rate
 * @throws Refused where the window, or what is asked of it, is not there
 */
export async function makePlan(
  context: Context,
  { track, window, filter, partitions: given }: Wanted,
  pacer: Pacer,
  signal: AbortSignal,
): Promise<ReplayPlan> {
  const topic = trackTopics(track).raw;
  const [state] = await context.kafkaAdmin().describe([topic]);
  if (state === undefined || state.state === 'missing')
    throw new Refused(`there is no track ${track}: ${topic} does not exist`);
  const partitions = given.length > 0 ? given : Array.from({ length: state.partitions }, (_, partition) => partition);
  const outside = partitions.find((partition) => partition >= state.partitions);
  if (outside !== undefined)
    throw new Refused(`there is no partition ${outside}: ${topic} has 0 to ${state.partitions - 1}`);
  checkPartitions(window, partitions);
  const log = context.kafkaLog();
  const found: Surveyed[] = [];
  const emptied: number[] = [];
  for (const partition of partitions) {
    const progress = new ProgressLine(context.outside, context.options.json !== true, () => systemClock.nowMs());
    let read = 0;
    const onRead = (records: number, of: number) => {
      read += records;
      progress.draw(read, of, 0, `records of partition ${partition} read, nothing is written yet`);
    };
    const surveyed = await survey(log, track, partition, window, filter, { onRead, pacer }, signal);
    progress.end();
    if (surveyed === 'emptied') emptied.push(partition);
    else if (surveyed !== undefined) found.push(surveyed);
  }
  await checkTenants(
    log,
    filter,
    found.map(({ plan }) => plan),
    signal,
  );
  if (found.length === 0) {
    const gone = emptied.length === 0 ? '' : `; ${emptiedText(emptied)}`;
    throw new Refused(`there is nothing to replay in this window${gone}`);
  }
  const received = found.flatMap(({ receivedNs }) => receivedNs).sort((a, b) => (a < b ? -1 : 1));
  const day = (at: number) => timeText(received.at(at)!).slice(0, 10);
  const plans = found.map(({ plan }) => plan);
  const plan = { id: newId(), track, filter, partitions: plans, tables: tablesOf(filter) };
  const transcoder = transcoderDigest();
  return { ...plan, days: [day(0), day(-1)], ...(emptied.length === 0 ? {} : { emptied }), transcoder };
}

/** A tenant that was removed may still have exports in the window; one that nothing knows was not meant. */
async function checkTenants(
  log: KafkaLog,
  { tenants }: ReplayFilter,
  partitions: readonly PartitionPlan[],
  signal: AbortSignal,
): Promise<void> {
  const silent = tenants.filter(
    (tenant) => !partitions.some(({ itemsByTenant }) => Object.hasOwn(itemsByTenant, tenant)),
  );
  if (silent.length === 0) return;
  const directory = await readDirectory(log, signal);
  const unknown = silent.filter((tenant) => directory.spec(tenant) === undefined);
  if (unknown.length > 0)
    throw new Refused(
      `there is no tenant ${unknown.join(', ')}, and the window has nothing of it: see ingestctl tenants list`,
    );
}

function newId(): string {
  const time = new Date().toISOString().replaceAll(/[-:]/g, '').replace('T', '_').slice(0, 15);
  return `${time}_${randomBytes(ID_BYTES).toString('hex')}`;
}
