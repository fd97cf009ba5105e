import type { Log, NewRecord } from '@weir/delivery';
import { type Clock, DependencyError } from '@weir/pipeline';
import { batchCompression } from './batch-zstd.ts';
import { KafkaConnection } from './connection.ts';
import { Fetcher, META_HEADER } from './fetcher.ts';
import { type KafkaBroker, READ_COMMITTED, TOPIC_RESOURCE } from './internals.ts';
import type { KafkaConfig } from './kafka-config.ts';
import type { KafkaLogger } from './kafka-logger.ts';

const ACKS_ALL = -1;
/** How long a broker may wait for its followers before it answers that it does not know. */
const APPEND_TIMEOUT_MS = 5_000;
const EARLIEST = -2;
const LATEST = -1;

/** A {@link Log} on Kafka; `close` lets go of its connections. */
export interface KafkaLog extends Log {
  /** Offset of the first record appended at or after a time (ms since the epoch), or one past the newest. */
  offsetAt(topic: string, partition: number, timeMs: number, signal: AbortSignal): Promise<number>;
  /** For how long, and up to how many bytes, each partition of a topic is kept; Infinity: without a bound. */
  retention(topic: string, signal: AbortSignal): Promise<{ readonly ms: number; readonly bytes: number }>;
  close(): Promise<void>;
}

/** Opens the partitions of a Kafka cluster for reading and appending without a group. Connects when first used. */
export function createKafkaLog(config: KafkaConfig, logger: KafkaLogger, clock: Clock): KafkaLog {
  const appends = new KafkaConnection(config, logger);
  const asks = new KafkaConnection(config, logger);
  const polls = new KafkaConnection(config, logger);
  const lookups = new KafkaConnection(config, logger);
  const read = readAtOnce(new Fetcher(asks, clock), new Fetcher(polls, clock), clock);
  return {
    read: (topic, partition, offset, options, signal) =>
      unless(signal, read(topic, partition, offset, options, signal)),
    bounds: async (topic, partition, signal) => {
      signal.throwIfAborted();
      const nodeId = await unless(signal, lookups.leaderOf(topic, partition));
      const asked = lookups.at(nodeId, (broker) =>
        Promise.all([offsetAt(broker, topic, partition, EARLIEST), offsetAt(broker, topic, partition, LATEST)]),
      );
      const [start, end] = await unless(signal, asked);
      return { start, end };
    },
    offsetAt: async (topic, partition, timeMs, signal) => {
      signal.throwIfAborted();
      const nodeId = await unless(signal, lookups.leaderOf(topic, partition));
      const ask = (time: number) =>
        unless(
          signal,
          lookups.at(nodeId, (broker) => offsetAt(broker, topic, partition, time)),
        );
      const found = await ask(Math.max(0, Math.floor(timeMs)));
      return found >= 0 ? found : ask(LATEST);
    },
    retention: async (topic, signal) => {
      signal.throwIfAborted();
      const nodeId = await unless(signal, lookups.leaderOf(topic, 0));
      return unless(
        signal,
        lookups.at(nodeId, (broker) => retentionOf(broker, topic)),
      );
    },
    append: async (topic, partition, records, signal) => {
      signal.throwIfAborted();
      const nodeId = await unless(signal, appends.leaderOf(topic, partition));
      return unless(
        signal,
        appends.at(nodeId, (broker) => append(broker, topic, partition, records)),
      );
    },
    close: async () => {
      await Promise.all([appends, asks, polls, lookups].map((connection) => connection.close()));
    },
  };
}

/** What is there comes at once; only for what is not there yet a read waits in a long poll, which holds up whoever comes to it. */
function readAtOnce(asks: Fetcher, polls: Fetcher, clock: Clock): Log['read'] {
  return async (topic, partition, offset, options, signal) => {
    const untilMs = clock.nowMs() + options.maxWaitMs;
    const page = await asks.read(topic, partition, offset, { ...options, maxWaitMs: 0 }, signal);
    const maxWaitMs = untilMs - clock.nowMs();
    if (page.records.length > 0 || maxWaitMs <= 0) return page;
    return polls.read(topic, partition, offset, { ...options, maxWaitMs }, signal);
  };
}

/** What is asked, unless the signal aborts first: a broker that hangs must not hold up who stops. The request goes on. */
function unless<T>(signal: AbortSignal, asked: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(signal.reason);
    if (signal.aborted) onAbort();
    signal.addEventListener('abort', onAbort, { once: true });
    asked.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}

async function offsetAt(broker: KafkaBroker, topic: string, partition: number, timestamp: number): Promise<number> {
  const answer = await broker.listOffsets({
    isolationLevel: READ_COMMITTED,
    topics: [{ topic, partitions: [{ partition, timestamp }] }],
  });
  return Number(answer.responses[0]?.partitions[0]?.offset);
}

async function retentionOf(broker: KafkaBroker, topic: string): Promise<{ ms: number; bytes: number }> {
  const configNames = ['retention.ms', 'retention.bytes'];
  const { resources } = await broker.describeConfigs({
    resources: [{ type: TOPIC_RESOURCE, name: topic, configNames }],
  });
  const [ms, bytes] = configNames.map((name) => {
    const entry = resources[0]?.configEntries.find(({ configName }) => configName === name);
    return Number(entry?.configValue ?? -1);
  });
  const bound = (value = -1) => (value >= 0 ? value : Number.POSITIVE_INFINITY);
  return { ms: bound(ms), bytes: bound(bytes) };
}

async function append(
  broker: KafkaBroker,
  topic: string,
  partition: number,
  records: readonly NewRecord[],
): Promise<number> {
  const timestamp = Date.now();
  const messages = records.map(({ key, value, meta }) => ({
    key,
    value,
    headers: meta === null ? {} : { [META_HEADER]: meta },
    timestamp,
  }));
  const answer = await broker.produce({
    acks: ACKS_ALL,
    compression: compressionOf(records),
    timeout: APPEND_TIMEOUT_MS,
    topicData: [{ topic, partitions: [{ partition, firstSequence: 0, messages }] }],
  });
  const offset = Number(answer.topics[0]?.partitions[0]?.baseOffset);
  if (offset >= 0) return offset;
  throw new DependencyError('kafka', 'timeout', 'kafka: an append was answered without an offset', { retryable: true });
}

function compressionOf(records: readonly NewRecord[]): number {
  let [plainBytes, bytes] = [0, 0];
  for (const { value, plain } of records) {
    const length = value?.length ?? 0;
    bytes += length;
    if (plain === true) plainBytes += length;
  }
  return batchCompression(plainBytes, bytes);
}
