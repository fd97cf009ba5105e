import type { TopicSpec } from '@weir/kafka';
import { CONTROL_TOPICS, isTrack, trackTopics } from '@weir/records';
import { type Context, UsageError } from './context.ts';
import { describeShortLog, lostEnds, type ShortLog } from './lost-ends.ts';
import { printRows } from './output.ts';

export interface TopicsOptions {
  readonly tracks: string;
  readonly partitions: string;
  readonly replicationFactor: string;
  readonly shorten?: boolean;
  readonly recover?: boolean;
}

const HOUR_MS = 3_600_000;
const RECORD_BYTES_MAX = 12 * 1024 ** 2;
const DLQ_BYTES_MAX = 1024 ** 3;
const NEWS = { 'retention.ms': String(HOUR_MS), 'segment.ms': String(HOUR_MS / 2) };
/**
 * By the broker's clock: one that writes with a clock an hour ahead would be refused, one behind would have its records
 * removed early. The normalizer forgets edges by it, too.
 */
const APPEND_TIME = { 'message.timestamp.type': 'LogAppendTime' };

const KEPT_LONGER =
  'kept longer: these topics keep records for longer than Weir sets, and were left so; once nothing waits any more: --shorten';

/** Every topic as it should be. Partitions of raw and rows must be equal: raw partition p feeds rows partition p. */
export function topicSpecs(tracks: readonly string[], partitions: number, replicationFactor: number): TopicSpec[] {
  const minInsync = String(replicationFactor > 2 ? 2 : 1);
  const spec = (name: string, count: number, config: Record<string, string>): TopicSpec => ({
    name,
    partitions: count,
    replicationFactor,
    config: { 'min.insync.replicas': minInsync, ...APPEND_TIME, ...config },
  });
  const data = { 'retention.ms': String(72 * HOUR_MS), 'max.message.bytes': String(RECORD_BYTES_MAX) };
  return [
    ...tracks.flatMap((track) => {
      const { raw, rows } = trackTopics(track);
      return [spec(raw, partitions, data), spec(rows, partitions, data)];
    }),
    spec(CONTROL_TOPICS.tenants, 1, { 'cleanup.policy': 'compact', 'segment.ms': String(24 * HOUR_MS) }),
    // Read whole by each partition that is taken over: what is superseded must go soon. On the disk before a sink inserts: by it the
    // tokens are known that a broker without power has forgotten.
    spec(CONTROL_TOPICS.progress, 1, {
      'flush.messages': '1',
      'cleanup.policy': 'compact',
      'segment.ms': String(HOUR_MS / 6),
      'min.cleanable.dirty.ratio': '0.1',
    }),
    // News of the last seconds: what is older says nothing.
    spec(CONTROL_TOPICS.flow, 1, NEWS),
    spec(CONTROL_TOPICS.demand, 1, NEWS),
    spec(CONTROL_TOPICS.dlq, 1, {
      'retention.ms': String(14 * 24 * HOUR_MS),
      'retention.bytes': String(DLQ_BYTES_MAX),
      'max.message.bytes': String(RECORD_BYTES_MAX),
    }),
    // What became of letters must be known for longer than any of them is there.
    spec(CONTROL_TOPICS.redrives, 1, { 'retention.ms': String(60 * 24 * HOUR_MS) }),
  ];
}

const RECOVER =
  'what is appended there from now on is passed over: stop edges, normalizers and sinks, then ingestctl topics apply --recover';

const OTHERS =
  'records of edges that still run stand where others stood, and are passed over: what they held is lost. Stop the edges before';

/** Creates what is missing; `check` only looks. Status 1 where a topic is missing, or has lost its end. */
export async function topics(context: Context, options: TopicsOptions, check: boolean): Promise<number> {
  const tracks = options.tracks.split(',');
  if (!tracks.every(isTrack)) throw new UsageError('--tracks (WEIR_TRACK) must be v1, v2, … with commas between');
  const specs = topicSpecs(tracks, count(options.partitions), count(options.replicationFactor));
  const admin = context.kafkaAdmin();
  const states = check
    ? await admin.describe(specs.map(({ name }) => name))
    : await admin.ensure(specs, options.shorten === true);
  const rows = states.map(({ name, partitions, state }) => [
    name,
    partitions,
    check && state !== 'missing' ? 'present' : state,
  ]);
  printRows(context.outside, context.options.json === true, ['topic', 'partitions', 'state'], rows);
  if (states.some(({ state }) => state === 'kept longer')) context.outside.err(`${KEPT_LONGER}\n`);
  if (states.some(({ state }) => state === 'missing')) return 1;
  if (!check && options.recover !== true) return 0;
  const partitionsOf = new Map(states.map(({ name, partitions }) => [name, partitions]));
  const tell = (log: ShortLog) => context.outside.err(`${describeShortLog(log, !check)}\n`);
  let short = 0;
  let others = 0;
  for (const track of tracks) {
    const { raw, rows } = trackTopics(track);
    const partitions = Math.min(partitionsOf.get(raw)!, partitionsOf.get(rows)!);
    const found = await lostEnds(context, track, partitions, !check, tell);
    if (check) found.logs.forEach(tell);
    short += found.logs.length;
    others += found.others;
  }
  if (check && short > 0) context.outside.err(`${RECOVER}\n`);
  if (others > 0) context.outside.err(`${others} ${OTHERS}\n`);
  return (check && short > 0) || others > 0 ? 1 : 0;
}

function count(text: string): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= 1 && value <= 1_000) return value;
  throw new UsageError(
    '--partitions (WEIR_KAFKA_PARTITIONS) and --replication-factor (WEIR_KAFKA_REPLICATION_FACTOR) must be whole numbers from 1 to 1000',
  );
}
