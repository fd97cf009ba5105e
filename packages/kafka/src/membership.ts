import type { Committed, Membership, MembershipEvents } from '@weir/delivery';
import { type Clock, DependencyError } from '@weir/pipeline';
import kafkajs, { type Admin, type Consumer } from 'kafkajs';
import { type KafkaConfig, type KafkaLogger, kafkaLogCreator } from './connection.ts';
import { fromKafkaError } from './errors.ts';

const { Kafka, logLevel } = kafkajs;

const SESSION_TIMEOUT_MS = 10_000;
const REBALANCE_TIMEOUT_MS = 15_000;
const HEARTBEAT_MS = 1_000;
const REJOIN_DELAY_MS = 1_000;
const JOIN_TIMEOUT_MS = 60_000;

/**
 * Membership of a consumer group through kafkajs's consumer, which is paused for good: it heartbeats, rebalances and
 * commits, and never fetches. A crash of the consumer is a revocation, then it joins anew after a pause.
 */
export function createMembership(
  config: KafkaConfig,
  options: { readonly groupId: string; readonly topic: string },
  logger: KafkaLogger,
  clock: Clock,
): Membership {
  return new KafkaMembership(config, options, logger, clock);
}

class KafkaMembership implements Membership {
  readonly #kafka: InstanceType<typeof Kafka>;
  readonly #admin: Admin;
  readonly #options: { readonly groupId: string; readonly topic: string };
  readonly #logger: KafkaLogger;
  readonly #clock: Clock;
  readonly #leaving = new AbortController();
  #adminReady: Promise<void> | undefined;
  #consumer: Consumer | undefined;
  /** kafkajs commits with whatever generation it has by then, so what is not assigned now must be refused here. */
  #assigned: ReadonlySet<number> = new Set();

  constructor(
    config: KafkaConfig,
    options: { readonly groupId: string; readonly topic: string },
    logger: KafkaLogger,
    clock: Clock,
  ) {
    this.#options = options;
    this.#logger = logger;
    this.#clock = clock;
    this.#kafka = new Kafka({
      brokers: [...config.brokers],
      clientId: config.clientId,
      logLevel: logLevel.ERROR,
      logCreator: kafkaLogCreator(logger),
      retry: { retries: 5, initialRetryTime: 200, maxRetryTime: 2_000 },
      ...(config.ssl === undefined ? {} : { ssl: config.ssl as never }),
      ...(config.sasl === undefined ? {} : { sasl: config.sasl as never }),
    });
    this.#admin = this.#kafka.admin();
  }

  async join(events: MembershipEvents, signal: AbortSignal): Promise<void> {
    const deadline = AbortSignal.any([signal, AbortSignal.timeout(JOIN_TIMEOUT_MS)]);
    for (;;) {
      try {
        await this.#run(events);
        return;
      } catch (error) {
        await this.#consumer?.disconnect().catch(() => undefined);
        if (deadline.aborted) throw fromKafkaError(error);
        await this.#clock.sleep(REJOIN_DELAY_MS, deadline);
      }
    }
  }

  async committed(partition: number, signal: AbortSignal): Promise<Committed | null> {
    signal.throwIfAborted();
    const { groupId, topic } = this.#options;
    try {
      this.#adminReady ??= this.#admin.connect();
      await this.#adminReady;
      const found = await this.#admin.fetchOffsets({ groupId, topics: [topic] });
      const entry = found[0]?.partitions.find((candidate) => candidate.partition === partition);
      const offset = Number(entry?.offset ?? -1);
      return offset < 0 ? null : { offset, metadata: entry?.metadata ?? '' };
    } catch (error) {
      this.#adminReady = undefined;
      throw fromKafkaError(error);
    }
  }

  async commit(partition: number, position: Committed, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (this.#consumer === undefined || !this.#assigned.has(partition)) throw notAMember();
    const { topic } = this.#options;
    const offset = String(position.offset);
    try {
      await this.#consumer.commitOffsets([{ topic, partition, offset, metadata: position.metadata }]);
    } catch (error) {
      throw fromKafkaError(error);
    }
  }

  async leave(): Promise<void> {
    this.#leaving.abort();
    const old = this.#consumer;
    this.#consumer = undefined;
    await old?.disconnect().catch(() => undefined);
    if (this.#adminReady !== undefined) await this.#admin.disconnect().catch(() => undefined);
  }

  async #run(events: MembershipEvents): Promise<void> {
    const { groupId, topic } = this.#options;
    const made = this.#kafka.consumer({
      groupId,
      sessionTimeout: SESSION_TIMEOUT_MS,
      rebalanceTimeout: REBALANCE_TIMEOUT_MS,
      heartbeatInterval: HEARTBEAT_MS,
      maxWaitTimeInMs: HEARTBEAT_MS / 2,
      allowAutoTopicCreation: false,
      // kafkajs restarts a crashed consumer only for some errors; ours restarts for all, below.
      retry: { retries: 5, initialRetryTime: 200, restartOnFailure: async () => false },
    });
    this.#consumer = made;
    const revoke = () => {
      this.#assigned = new Set();
      events.revoked();
    };
    made.on(made.events.GROUP_JOIN, ({ payload }) => {
      const partitions = payload.memberAssignment[topic] ?? [];
      this.#assigned = new Set(partitions);
      events.assigned(partitions);
    });
    made.on(made.events.REBALANCING, revoke);
    made.on(made.events.CRASH, () => {
      revoke();
      if (this.#consumer === made) void this.#rejoin(made, events);
    });
    await made.connect();
    await made.subscribe({ topic, fromBeginning: true });
    await made.run({ autoCommit: false, eachBatch: async () => undefined });
    made.pause([{ topic }]);
  }

  async #rejoin(old: Consumer, events: MembershipEvents): Promise<void> {
    await old.disconnect().catch(() => undefined);
    while (!this.#leaving.signal.aborted) {
      try {
        await this.#clock.sleep(REJOIN_DELAY_MS, this.#leaving.signal);
        await this.#run(events);
        return;
      } catch (error) {
        this.#logger.debug({ err: error }, 'joining the group again failed');
        await this.#consumer?.disconnect().catch(() => undefined);
      }
    }
  }
}

function notAMember(): DependencyError {
  return new DependencyError('kafka', 'fenced', 'kafka: the partition is not assigned to this member', {
    retryable: false,
  });
}
