import type { Committed, Membership, MembershipEvents } from '@weir/delivery';
import { type Clock, DependencyError } from '@weir/pipeline';
import kafkajs, { type Consumer } from 'kafkajs';
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
  const kafka = new Kafka({
    brokers: [...config.brokers],
    clientId: config.clientId,
    logLevel: logLevel.ERROR,
    logCreator: kafkaLogCreator(logger),
    retry: { retries: 5, initialRetryTime: 200, maxRetryTime: 2_000 },
    ...(config.ssl === undefined ? {} : { ssl: config.ssl as never }),
    ...(config.sasl === undefined ? {} : { sasl: config.sasl as never }),
  });
  const admin = kafka.admin();
  const leaving = new AbortController();
  let adminReady: Promise<void> | undefined;
  let consumer: Consumer | undefined;
  // kafkajs commits with whatever generation it has by then, so what is not assigned now must be refused here.
  let assigned: ReadonlySet<number> = new Set();

  const run = async (events: MembershipEvents): Promise<void> => {
    const made = kafka.consumer({
      groupId: options.groupId,
      sessionTimeout: SESSION_TIMEOUT_MS,
      rebalanceTimeout: REBALANCE_TIMEOUT_MS,
      heartbeatInterval: HEARTBEAT_MS,
      maxWaitTimeInMs: HEARTBEAT_MS / 2,
      allowAutoTopicCreation: false,
      // kafkajs restarts a crashed consumer only for some errors; ours restarts for all, below.
      retry: { retries: 5, initialRetryTime: 200, restartOnFailure: async () => false },
    });
    consumer = made;
    made.on(made.events.GROUP_JOIN, ({ payload }) => {
      const partitions = payload.memberAssignment[options.topic] ?? [];
      assigned = new Set(partitions);
      events.assigned(partitions);
    });
    const revoke = () => {
      assigned = new Set();
      events.revoked();
    };
    made.on(made.events.REBALANCING, revoke);
    made.on(made.events.CRASH, () => {
      revoke();
      if (consumer === made) void rejoin(made, events);
    });
    await made.connect();
    await made.subscribe({ topic: options.topic, fromBeginning: true });
    await made.run({ autoCommit: false, eachBatch: async () => undefined });
    made.pause([{ topic: options.topic }]);
  };

  const rejoin = async (old: Consumer, events: MembershipEvents): Promise<void> => {
    await old.disconnect().catch(() => undefined);
    while (!leaving.signal.aborted) {
      try {
        await clock.sleep(REJOIN_DELAY_MS, leaving.signal);
        await run(events);
        return;
      } catch (error) {
        logger.debug({ err: error }, 'joining the group again failed');
      }
    }
  };

  return {
    join: async (events, signal) => {
      const deadline = AbortSignal.any([signal, AbortSignal.timeout(JOIN_TIMEOUT_MS)]);
      for (;;) {
        try {
          await run(events);
          return;
        } catch (error) {
          await consumer?.disconnect().catch(() => undefined);
          if (deadline.aborted) throw fromKafkaError(error);
          await clock.sleep(REJOIN_DELAY_MS, deadline);
        }
      }
    },
    committed: async (partition, signal) => {
      signal.throwIfAborted();
      try {
        adminReady ??= admin.connect();
        await adminReady;
        const found = await admin.fetchOffsets({ groupId: options.groupId, topics: [options.topic] });
        const entry = found[0]?.partitions.find((candidate) => candidate.partition === partition);
        const offset = Number(entry?.offset ?? -1);
        return offset < 0 ? null : { offset, metadata: entry?.metadata ?? '' };
      } catch (error) {
        adminReady = undefined;
        throw fromKafkaError(error);
      }
    },
    commit: async (partition, position: Committed, signal) => {
      signal.throwIfAborted();
      if (consumer === undefined || !assigned.has(partition)) throw notAMember();
      try {
        await consumer.commitOffsets([
          { topic: options.topic, partition, offset: String(position.offset), metadata: position.metadata },
        ]);
      } catch (error) {
        throw fromKafkaError(error);
      }
    },
    leave: async () => {
      leaving.abort();
      const old = consumer;
      consumer = undefined;
      await old?.disconnect().catch(() => undefined);
      if (adminReady !== undefined) await admin.disconnect().catch(() => undefined);
    },
  };
}

function notAMember(): DependencyError {
  return new DependencyError('kafka', 'fenced', 'kafka: the partition is not assigned to this member', {
    retryable: false,
  });
}
