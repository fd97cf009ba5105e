import type { Clock, Component } from '@weir/pipeline';
import type { PartitionBacklog } from './backlog-meter.ts';
import { createPeriodic } from './periodic.ts';

/** For how long, and up to how many bytes, Kafka keeps a partition of a topic. Infinity: without a bound. */
export interface Retention {
  readonly ms: number;
  readonly bytes: number;
}

/** What is asked of the log; each is a quick look-up. */
export interface KeptLog {
  retention(topic: string, signal: AbortSignal): Promise<Retention>;
  /** Offset of the first record appended at or after a time (ms since the epoch), or one past the newest. */
  offsetAt(topic: string, partition: number, timeMs: number, signal: AbortSignal): Promise<number>;
}

/** How near what waits is to being let go unread. */
export interface Waiting {
  /** Age of the oldest record that is not done; up to 5 % less than it is, and 0 below 10 s. */
  readonly oldestSeconds: number;
  /** The greater of that age over the retention's and of what waits over its bytes, of the worst partition; at 1 Kafka may let go. */
  readonly retentionUsed: number;
}

/** What is looked at, and where it is said. */
export interface RetentionParts {
  readonly log: KeptLog;
  readonly topic: string;
  readonly partitions: { readonly workers: ReadonlyMap<number, { readonly progress: PartitionBacklog }> };
  readonly clock: Clock;
  readonly everyMs: number;
  /** Called once for each time that it begins to fail. */
  readonly onFault: (error: unknown) => void;
}

const YOUNG_MS = 10_000;
const AGE_MS_MAX = 60 * 24 * 3_600_000;
/** Ages are told apart by so much of themselves. */
const STEP = 1.05;
const NS_PER_MS = 1_000_000n;

/** Looks at even times how old the oldest record is that waits for this process, beside how long Kafka keeps it. */
export function createRetentionWatch(parts: RetentionParts, seen: (waiting: Waiting) => void): Component {
  let failing = false;
  return createPeriodic({
    ...parts,
    name: 'retention watch',
    look: async (signal) => {
      seen(await look(parts, signal));
      failing = false;
    },
    onFault: (error) => {
      if (!failing) parts.onFault(error);
      failing = true;
    },
  });
}

async function look({ log, topic, partitions, clock }: RetentionParts, signal: AbortSignal): Promise<Waiting> {
  const retention = await log.retention(topic, signal);
  const nowMs = Number(clock.wallNs() / NS_PER_MS);
  let [oldestMs, used] = [0, 0];
  for (const [partition, { progress }] of partitions.workers) {
    const waiting = progress.endOffset - progress.doneTo;
    if (waiting <= 0) continue;
    const { doneTo } = progress;
    const isOlder = async (ms: number) => (await log.offsetAt(topic, partition, nowMs - ms, signal)) > doneTo;
    const ageMs = await ageOf(isOlder);
    oldestMs = Math.max(oldestMs, ageMs);
    used = Math.max(used, ageMs / retention.ms, (waiting * progress.recordBytes) / retention.bytes);
  }
  return { oldestSeconds: oldestMs / 1_000, retentionUsed: used };
}

/** The age, within one step: the log says only whether a record is older than something. */
async function ageOf(isOlder: (ms: number) => Promise<boolean>): Promise<number> {
  if (!(await isOlder(YOUNG_MS))) return 0;
  let [least, most] = [YOUNG_MS, YOUNG_MS * 2];
  while (most < AGE_MS_MAX && (await isOlder(most))) [least, most] = [most, most * 2];
  while (most / least > STEP) {
    const middle = Math.sqrt(least * most);
    if (await isOlder(middle)) least = middle;
    else most = middle;
  }
  return least;
}
