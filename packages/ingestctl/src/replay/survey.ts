import type { KafkaLog } from '@weir/kafka';
import type { RawEntry, RawExport } from '@weir/normalize';
import { systemClock } from '@weir/pipeline';
import { trackTopics } from '@weir/records';
import { type Pacer, READING_PART } from '../pacer.ts';
import { Refused } from '../refused.ts';
import { timeText } from '../times.ts';
import { itemsOf, type PartitionPlan, type ReplayFilter, takes } from './plan.ts';
import { readRange } from './read-range.ts';
import type { Window } from './window.ts';

/** Receipt and append lie seconds apart, and so do the clocks of edges and brokers. */
const SLACK_MS = 60_000;
const NS_PER_MS = 1_000_000n;

/** What a survey of one partition found. */
export interface Surveyed {
  readonly plan: PartitionPlan;
  /** Least and greatest time of receipt. */
  readonly receivedNs: readonly [bigint, bigint];
}

/** How a window is read. */
export interface Reading {
  /** Told of so many more records, out of all that are read of the partition. */
  readonly onRead: (records: number, of: number) => void;
  readonly pacer: Pick<Pacer, 'take'>;
}

/**
 * Reads what may be of the window in one partition, and says what is. Times are those of receipt, as the records' headers
 * say them: the window is the smallest range of offsets that holds every export received in it.
 *
 * @returns undefined where nothing of the partition is in the window, `emptied` where Kafka has let go of all exports that it had
 * @throws Refused where a part of the window is not there, any more or yet
 */
export async function survey(
  log: KafkaLog,
  track: string,
  partition: number,
  window: Window,
  filter: ReplayFilter,
  reading: Reading,
  signal: AbortSignal,
): Promise<Surveyed | 'emptied' | undefined> {
  const topic = trackTopics(track).raw;
  const { start, end } = await log.bounds(topic, partition, signal);
  const range = await outerRange(log, topic, partition, window, { start, end }, signal);
  if (start > 0 && range.first === start && window.from.kind === 'time') {
    const oldest = await oldestExport(log, topic, partition, { first: start, last: end - 1 }, signal);
    if (oldest === undefined) return 'emptied';
    checkLost(partition, window, oldest);
  }
  const tally = new WindowTally(window, filter);
  for await (const entries of readRange(log, topic, partition, range, signal)) {
    for (const entry of entries) tally.add(entry);
    reading.onRead(entries.length, range.last - range.first + 1);
    await reading.pacer.take(entries.reduce((sum, entry) => sum + itemsOf(entry), 0) * READING_PART, signal);
  }
  return tally.surveyed(partition, window, range);
}

/** Offsets between which the window lies. */
async function outerRange(
  log: KafkaLog,
  topic: string,
  partition: number,
  { from, to }: Window,
  { start, end }: { readonly start: number; readonly end: number },
  signal: AbortSignal,
): Promise<{ first: number; last: number }> {
  if (from.kind === 'offset' && from.offset < start) {
    throw new Refused(`partition ${partition}: offset ${from.offset} is before the oldest retained one, ${start}`);
  }
  for (const edge of [from, to]) {
    if (edge.kind === 'offset' && edge.offset >= end) {
      throw new Refused(`partition ${partition}: offset ${edge.offset} is past the end; the newest is ${end - 1}`);
    }
    if (edge.kind === 'time' && edge.atNs > systemClock.wallNs()) {
      throw new Refused(`${timeText(edge.atNs)} is past the end: it is ${timeText(systemClock.wallNs())}`);
    }
  }
  const at = async (atNs: bigint, slackMs: number) =>
    log.offsetAt(topic, partition, Number(atNs / NS_PER_MS) + slackMs, signal);
  const first = from.kind === 'offset' ? from.offset : await at(from.atNs, -SLACK_MS);
  const last = to.kind === 'offset' ? to.offset : (await at(to.atNs, SLACK_MS)) - 1;
  return { first: Math.max(start, first), last: Math.min(end - 1, last) };
}

/** What is older than the oldest record, which is not the first that there was, may have been of the window. */
function checkLost(partition: number, { from, to }: Window, { offset, meta }: RawExport): void {
  if (from.kind !== 'time' || meta.receivedAtNs <= from.atNs) return;
  const what = to.kind === 'time' && meta.receivedAtNs > to.atNs ? 'ends' : 'begins';
  throw new Refused(
    `partition ${partition}: the window ${what} before the oldest retained record, offset ${offset}, received at ${timeText(meta.receivedAtNs)}`,
  );
}

async function oldestExport(
  log: KafkaLog,
  topic: string,
  partition: number,
  range: { readonly first: number; readonly last: number },
  signal: AbortSignal,
): Promise<RawExport | undefined> {
  for await (const entries of readRange(log, topic, partition, range, signal)) {
    const oldest = entries.find((entry) => entry.kind === 'export');
    if (oldest !== undefined) return oldest;
  }
  return undefined;
}

/** Counts, of which the last part may turn out to lie behind the window. */
class WindowTally {
  readonly #isIn: (entry: RawEntry) => boolean;
  readonly #filter: ReplayFilter;
  #whole = new Counts();
  #tail = new Counts();
  #first = -1;
  #last = -1;

  constructor({ from, to }: Window, filter: ReplayFilter) {
    this.#filter = filter;
    this.#isIn = (entry) => {
      if (entry.kind !== 'export') return from.kind === 'offset' && to.kind === 'offset';
      const { receivedAtNs } = entry.meta;
      return (from.kind === 'offset' || receivedAtNs >= from.atNs) && (to.kind === 'offset' || receivedAtNs <= to.atNs);
    };
  }

  add(entry: RawEntry): void {
    const isIn = this.#isIn(entry);
    if (this.#first < 0 && !isIn) return;
    if (this.#first < 0) this.#first = entry.offset;
    this.#tail.add(entry, this.#filter);
    if (!isIn) return;
    this.#last = entry.offset;
    this.#whole.take(this.#tail);
    this.#tail = new Counts();
  }

  surveyed(partition: number, { from, to }: Window, range: { first: number; last: number }): Surveyed | undefined {
    const { firstAtNs, lastAtNs, leastNs, mostNs, others, records, items, bytes, byTenant } = this.#whole;
    if (records === 0) return undefined;
    // An offset that was given is the window's own end, whatever stands there.
    const first = from.kind === 'offset' ? range.first : this.#first;
    const last = to.kind === 'offset' ? range.last : this.#last;
    const times = { firstAt: timeText(firstAtNs), lastAt: timeText(lastAtNs) };
    const itemsByTenant = Object.fromEntries([...byTenant].sort(([a], [b]) => (a < b ? -1 : 1)));
    const plan = { partition, first, last, ...times, records, items, bytes, others, itemsByTenant };
    return { plan, receivedNs: [leastNs, mostNs] };
  }
}

class Counts {
  records = 0;
  items = 0;
  bytes = 0;
  others = 0;
  firstAtNs = 0n;
  lastAtNs = 0n;
  leastNs = 0n;
  mostNs = 0n;
  readonly byTenant = new Map<string, number>();

  add(entry: RawEntry, filter: ReplayFilter): void {
    if (entry.kind !== 'export') {
      this.others++;
      return;
    }
    if (!takes(filter, entry.meta)) return;
    const { tenant, items, bytes, receivedAtNs } = entry.meta;
    if (this.records === 0) this.firstAtNs = this.leastNs = this.mostNs = receivedAtNs;
    this.lastAtNs = receivedAtNs;
    if (receivedAtNs < this.leastNs) this.leastNs = receivedAtNs;
    if (receivedAtNs > this.mostNs) this.mostNs = receivedAtNs;
    this.records++;
    this.items += items;
    this.bytes += bytes;
    this.byTenant.set(tenant, (this.byTenant.get(tenant) ?? 0) + items);
  }

  take(more: Counts): void {
    this.others += more.others;
    if (more.records === 0) return;
    if (this.records === 0) {
      this.firstAtNs = more.firstAtNs;
      this.leastNs = more.leastNs;
      this.mostNs = more.mostNs;
    }
    this.lastAtNs = more.lastAtNs;
    if (more.leastNs < this.leastNs) this.leastNs = more.leastNs;
    if (more.mostNs > this.mostNs) this.mostNs = more.mostNs;
    this.records += more.records;
    this.items += more.items;
    this.bytes += more.bytes;
    for (const [tenant, items] of more.byTenant) this.byTenant.set(tenant, (this.byTenant.get(tenant) ?? 0) + items);
  }
}
