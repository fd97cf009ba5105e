import { DependencyError, systemClock } from '@weir/pipeline';
import kafkajs, { type Admin } from 'kafkajs';
import { fromKafkaError } from './errors.ts';
import type { KafkaConfig } from './kafka-config.ts';
import { type KafkaLogger, kafkaLogCreator } from './kafka-logger.ts';
import { securityOf } from './security.ts';
import { settingsChange } from './topic-settings.ts';

// The package is CommonJS: not all of its names can be imported one by one.
const { ConfigResourceTypes, Kafka, logLevel } = kafkajs;

const LEADERS_MS_MAX = 30_000;
const LEADERS_POLL_MS = 100;

/** A topic as it should be. */
export interface TopicSpec {
  readonly name: string;
  readonly partitions: number;
  readonly replicationFactor: number;
  readonly config: Readonly<Record<string, string>>;
}

/** What was done, or is the case, for one topic. */
export interface TopicState {
  readonly name: string;
  /**
   * `grown`: it has more partitions than before, and its settings are as they should be. `kept longer`: its retention is longer than it
   * should be, and was left so; all else is as it should be.
   */
  readonly state: 'created' | 'grown' | 'configured' | 'kept longer' | 'unchanged' | 'missing';
  readonly partitions: number;
}

/** Where a group stands in one partition. */
export interface PartitionLag {
  readonly partition: number;
  /** -1 where the group has committed nothing. */
  readonly committed: number;
  readonly start: number;
  readonly end: number;
}

/** Operator's access to topics and groups. Every call connects, works and disconnects. */
export interface KafkaAdmin {
  /**
   * Creates, grows and configures topics; partitions are never taken away, nor settings that no spec names. Safe to run twice.
   * @param mayShorten a retention that is longer than that of the spec is shortened: what Kafka kept for that time goes
   */
  ensure(topics: readonly TopicSpec[], mayShorten?: boolean): Promise<TopicState[]>;
  describe(names: readonly string[]): Promise<TopicState[]>;
  lag(groupId: string, topic: string): Promise<PartitionLag[]>;
  /** Lets go of the records of a partition that stand before an offset. */
  deleteBefore(topic: string, partition: number, offset: number): Promise<void>;
}

/** @throws DependencyError */
export function createKafkaAdmin(config: KafkaConfig, logger: KafkaLogger): KafkaAdmin {
  const kafka = new Kafka({
    brokers: [...config.brokers],
    clientId: config.clientId,
    logLevel: logLevel.ERROR,
    logCreator: kafkaLogCreator(logger),
    connectionTimeout: 3_000,
    requestTimeout: 10_000,
    retry: { retries: 2, initialRetryTime: 200 },
    ...(securityOf(config) as object),
  });
  const using = async <T>(work: (admin: Admin) => Promise<T>): Promise<T> => {
    const admin = kafka.admin();
    try {
      await admin.connect();
      return await work(admin);
    } catch (error) {
      throw fromKafkaError(error);
    } finally {
      await admin.disconnect().catch(() => undefined);
    }
  };
  return {
    ensure: (topics, mayShorten = false) =>
      using(async (admin) => {
        const states: TopicState[] = [];
        for (const topic of topics) states.push(await ensureOne(admin, topic, mayShorten));
        return states;
      }),
    describe: (names) =>
      using(async (admin) => {
        const existing = new Set(await admin.listTopics());
        const found = names.filter((name) => existing.has(name));
        const { topics } = await admin.fetchTopicMetadata({ topics: found });
        const partitions = new Map(topics.map((topic) => [topic.name, topic.partitions.length]));
        return names.map((name) => ({
          name,
          state: existing.has(name) ? ('unchanged' as const) : ('missing' as const),
          partitions: partitions.get(name) ?? 0,
        }));
      }),
    lag: (groupId, topic) =>
      using(async (admin) => {
        const ends = await admin.fetchTopicOffsets(topic);
        const committed = await admin.fetchOffsets({ groupId, topics: [topic] });
        const offsets = new Map(committed[0]?.partitions.map((entry) => [entry.partition, Number(entry.offset)]));
        return ends
          .map((entry) => ({
            partition: entry.partition,
            committed: offsets.get(entry.partition) ?? -1,
            start: Number(entry.low),
            end: Number(entry.high),
          }))
          .toSorted((a, b) => a.partition - b.partition);
      }),
    deleteBefore: (topic, partition, offset) =>
      using(async (admin) => {
        // The client finds the leader by what it has asked before.
        await admin.fetchTopicOffsets(topic);
        await admin.deleteTopicRecords({ topic, partitions: [{ partition, offset: String(offset) }] });
      }),
  };
}

/**
 * Waits until each of so many partitions is served by its leader. The client's own wait gives up where the broker that it
 * asks has not heard of the topic yet, as is usual in a cluster and on a busy machine.
 */
async function untilLed(admin: Admin, topic: string, least: number): Promise<void> {
  const deadlineMs = systemClock.nowMs() + LEADERS_MS_MAX;
  while (!(await isLed(admin, topic, least))) {
    if (systemClock.nowMs() > deadlineMs) {
      throw new DependencyError('kafka', 'unavailable', `kafka: ${topic} has no leaders`, { retryable: true });
    }
    await systemClock.sleep(LEADERS_POLL_MS);
  }
}

async function isLed(admin: Admin, topic: string, least: number): Promise<boolean> {
  try {
    const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
    const partitions = topics[0]?.partitions ?? [];
    if (partitions.length < least || partitions.some(({ leader }) => leader < 0)) return false;
    // A broker says that it leads a partition before it has taken it up.
    await admin.fetchTopicOffsets(topic);
    return true;
  } catch (error) {
    const failure = fromKafkaError(error);
    if (!failure.retryable) throw failure;
    return false;
  }
}

/**
 * Tries again what a broker refuses that has not heard of the topics yet: the client asks for all that it knows of before it
 * makes another, and gives up at once.
 */
async function patiently<T>(work: () => Promise<T>): Promise<T> {
  const deadlineMs = systemClock.nowMs() + LEADERS_MS_MAX;
  for (;;) {
    try {
      return await work();
    } catch (error) {
      const failure = fromKafkaError(error);
      if (!failure.retryable || systemClock.nowMs() > deadlineMs) throw failure;
      await systemClock.sleep(LEADERS_POLL_MS);
    }
  }
}

async function ensureOne(admin: Admin, topic: TopicSpec, mayShorten: boolean): Promise<TopicState> {
  const configEntries = Object.entries(topic.config).map(([name, value]) => ({ name, value }));
  const made = { topic: topic.name, numPartitions: topic.partitions, replicationFactor: topic.replicationFactor };
  const created = await patiently(() =>
    admin.createTopics({ waitForLeaders: false, topics: [{ ...made, configEntries }] }),
  );
  await untilLed(admin, topic.name, created ? topic.partitions : 1);
  if (created) return { name: topic.name, state: 'created', partitions: topic.partitions };
  const settings = await configure(admin, topic, mayShorten);
  const { topics } = await admin.fetchTopicMetadata({ topics: [topic.name] });
  const partitions = topics[0]?.partitions.length ?? 0;
  if (partitions >= topic.partitions) return { name: topic.name, state: settings, partitions };
  await admin.createPartitions({ topicPartitions: [{ topic: topic.name, count: topic.partitions }] });
  const state = settings === 'kept longer' ? settings : 'grown';
  return { name: topic.name, state, partitions: topic.partitions };
}

/** Gives a topic that is there its settings. */
async function configure(
  admin: Admin,
  topic: TopicSpec,
  mayShorten: boolean,
): Promise<'configured' | 'kept longer' | 'unchanged'> {
  // Without names: all settings, and those that are set for the topic are to be kept.
  const { resources } = await admin.describeConfigs({
    includeSynonyms: false,
    resources: [{ type: ConfigResourceTypes.TOPIC, name: topic.name }],
  });
  const change = settingsChange(resources[0]?.configEntries ?? [], topic.config, mayShorten);
  const kept = change.isKeptLonger ? 'kept longer' : undefined;
  if (change.entries === undefined) return kept ?? 'unchanged';
  await admin.alterConfigs({
    validateOnly: false,
    resources: [{ type: ConfigResourceTypes.TOPIC, name: topic.name, configEntries: change.entries }],
  });
  return kept ?? 'configured';
}
