import { randomBytes } from 'node:crypto';
import {
  type Committed,
  fillLostEnd,
  findLostEnd,
  LOST_RECORDS_MAX,
  type Log,
  type LostEnd,
  ProgressLog,
  reaching,
  recutBroken,
  type SourceAndRows,
  sinkPosition,
} from '@weir/delivery';
import type { GroupPositions } from '@weir/kafka';
import { DependencyError, systemClock } from '@weir/pipeline';
import { trackGroups, trackTopics } from '@weir/records';
import { type Context, UsageError } from './context.ts';

/** A log that ends before what was recorded of it. */
export interface ShortLog {
  readonly topic: string;
  readonly partition: number;
  readonly end: number;
  readonly recorded: number;
  /** Raw offset from which records that are still there are normalized once more, as the rows of them are gone. */
  readonly again: number | undefined;
}

const PATIENCE_MS = 30_000;
const RETRY_MS = 200;

/** A log that has been filled up, or would be. */
export interface ShortLogs {
  readonly logs: readonly ShortLog[];
  /** Records of edges that stood where those stand that were filled in: nobody stopped them. */
  readonly others: number;
}

/**
 * The raw and rows logs of a track that lack records which Kafka had acknowledged, as after a power failure of a single broker.
 *
 * @param fill they are filled up with records that say nothing; no service may run
 * @param tell told of each log once it is filled up
 * @throws UsageError where normalizers or sinks run, or what lacks is no mere end
 */
export async function lostEnds(
  context: Context,
  track: string,
  partitions: number,
  fill: boolean,
  tell: (log: ShortLog) => void = () => undefined,
): Promise<ShortLogs> {
  const all = Array.from({ length: partitions }, (_, partition) => partition);
  const places = placesOf(context, track);
  const first = await find(places, all);
  if (!fill || first.short.length === 0) return { logs: first.short, others: 0 };
  // Nobody commits any more from here on.
  await untilEmpty(places.normalizers, all);
  await untilEmpty(places.sinks, all);
  const { stored, found, short } = await find(places, all);
  for (const { topic, partition, end, recorded } of short) {
    if (recorded - end <= LOST_RECORDS_MAX) continue;
    throw new UsageError(
      `${topic}/${partition} ends at ${end}, and ${recorded} is recorded: that is another topic, not one that lost its end`,
    );
  }
  const { signal } = new AbortController();
  const { log, progress, normalizers, sinks, rawTopic, rowsTopic } = places;
  const recut = recutBroken(stored, new Map([...found].map(([partition, lost]) => [partition, lost.rows])));
  await patiently(() => sinks.put(recut));
  // All of them: weir.progress may have lost its end, too.
  const positions = new Map([...stored, ...recut]);
  if (positions.size > 0) await patiently(() => progress.put(positions, signal));
  let others = 0;
  for (const [partition, lost] of found) {
    const source: SourceAndRows = { log, clock: systemClock, rawTopic, rowsTopic, partition };
    const restart = (from: Committed) => patiently(() => normalizers.put(new Map([[partition, from]])));
    const edge = randomBytes(8).toString('hex');
    others += await fillLostEnd(source, reaching(lost, recut.get(partition)), edge, restart, signal);
    for (const each of short) if (each.partition === partition) tell(each);
  }
  return { logs: short, others };
}

/** Where a track's records and positions are. */
interface Places {
  readonly log: Log;
  readonly rawTopic: string;
  readonly rowsTopic: string;
  readonly normalizers: GroupPositions;
  readonly sinks: GroupPositions;
  readonly progress: ProgressLog;
}

function placesOf(context: Context, track: string): Places {
  const { raw: rawTopic, rows: rowsTopic } = trackTopics(track);
  const groups = trackGroups(track);
  const log = patient(context.kafkaLog());
  const normalizers = context.groupPositions(groups.normalizer, rawTopic);
  const sinks = context.groupPositions(groups.sink, rowsTopic);
  return { log, rawTopic, rowsTopic, normalizers, sinks, progress: new ProgressLog(log, rowsTopic) };
}

/** What was recorded, and how far the logs reach. */
async function find({ log, rawTopic, rowsTopic, normalizers, sinks, progress }: Places, all: readonly number[]) {
  const { signal } = new AbortController();
  const [raw, rows, kept, history] = await Promise.all([
    patiently(() => normalizers.read(all)),
    patiently(() => sinks.read(all)),
    progress.read(all, signal),
    progress.history(all, signal),
  ]);
  const stored = new Map(
    all.flatMap((partition) => {
      const position = sinkPosition(rows.get(partition) ?? null, kept.get(partition) ?? null);
      return position === null ? [] : [[partition, position] as const];
    }),
  );
  const found = new Map<number, LostEnd>();
  for (const partition of all) {
    const source: SourceAndRows = { log, clock: systemClock, rawTopic, rowsTopic, partition };
    const [earlier, position] = [history.get(partition) ?? [], stored.get(partition) ?? null];
    const recorded = { raw: raw.get(partition) ?? null, rows: position, earlier };
    found.set(partition, await findLostEnd(source, recorded, signal));
  }
  const short = [...found].flatMap(([partition, lost]) => shortLogs(rawTopic, rowsTopic, partition, lost));
  return { stored, found, short };
}

function shortLogs(
  rawTopic: string,
  rowsTopic: string,
  partition: number,
  { raw, rows, restart }: LostEnd,
): ShortLog[] {
  const again = restart !== undefined && restart.offset < raw.end ? restart.offset : undefined;
  return [
    { topic: rawTopic, partition, ...raw, again: undefined },
    { topic: rowsTopic, partition, ...rows, again },
  ].filter(({ end, recorded, again: from }) => end < recorded || from !== undefined);
}

/**
 * Waits until a group has no member: those that were killed leave it when their session is over, which a broker that starts counts
 * anew. Kafka takes a commit of positions as they are only then.
 */
async function untilEmpty(group: GroupPositions, all: readonly number[]): Promise<void> {
  const deadlineMs = systemClock.nowMs() + PATIENCE_MS;
  for (;;) {
    try {
      if (await patiently(() => group.isEmpty())) return await patiently(async () => group.put(await group.read(all)));
    } catch (error) {
      if (!(error instanceof DependencyError) || error.code !== 'fenced') throw error;
    }
    if (systemClock.nowMs() > deadlineMs)
      throw new UsageError('normalizers or sinks are running: stop them, and the edges, and try again');
    await systemClock.sleep(RETRY_MS);
  }
}

/** What a line says of a short log. */
export function describeShortLog({ topic, partition, end, recorded, again }: ShortLog, filled: boolean): string {
  const name = `${topic}/${partition}`;
  const gone =
    end < recorded
      ? `${name} ended at ${end}, but reached ${recorded}: Kafka lost ${recorded - end} records that it had acknowledged`
      : `${name} lacks records that Kafka had acknowledged`;
  const redo = again === undefined ? '' : `; raw records from ${again} on are normalized once more`;
  return filled ? `${gone}. Filled up, so that no offset is given twice${redo}.` : `${gone}.`;
}

/** What is read is long: a call that fails is made again by itself, and not all before it. */
function patient(log: Log): Log {
  return {
    bounds: (...args) => patiently(() => log.bounds(...args)),
    read: (...args) => patiently(() => log.read(...args)),
    // Made again by who appends, as it may have happened.
    append: (...args) => log.append(...args),
  };
}

/** A broker that was just started does not know its groups and leaders at once. */
async function patiently<T>(work: () => Promise<T>): Promise<T> {
  const deadlineMs = systemClock.nowMs() + PATIENCE_MS;
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof DependencyError) || !error.retryable || systemClock.nowMs() > deadlineMs) throw error;
      await systemClock.sleep(RETRY_MS);
    }
  }
}
