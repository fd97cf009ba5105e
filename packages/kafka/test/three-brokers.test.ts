import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DependencyError, systemClock } from '@weir/pipeline';
import { TestStack } from '@weir/testkit';
import kafkajs, { type Admin } from 'kafkajs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createKafkaLog } from '../src/kafka-log.ts';
import { createKafkaAdmin } from '../src/topics.ts';
import { expectThreeCopies } from './three-copies.ts';

const QUIET = { warn: () => undefined, debug: () => undefined };
const dataDir = mkdtempSync(join(tmpdir(), 'weir-three-brokers-'));
let stack: TestStack;
let admin: Admin;

beforeAll(async () => {
  stack = await TestStack.start(dataDir, { envoy: false, env: { WEIR_LOCAL_KAFKA_BROKERS: '3' } });
  const brokers = [...stack.local.kafka.brokers];
  admin = new kafkajs.Kafka({ brokers, logLevel: kafkajs.logLevel.NOTHING }).admin();
  await admin.connect();
});

afterAll(async () => {
  await admin?.disconnect();
  await stack?.stop();
  rmSync(dataDir, { recursive: true, force: true });
});

test('every topic, and the offsets of the groups, have three copies of which two must be in sync', async () => {
  await expectThreeCopies(admin);
});

test('a topic is made although the broker that is asked does not know of it at once', async () => {
  const config = { brokers: stack.local.kafka.brokers, clientId: 'test' };
  const names = Array.from({ length: 10 }, (_, number) => `made-${number}`);
  const spec = { partitions: 8, replicationFactor: 3, config: {} };
  const made = await createKafkaAdmin(config, QUIET).ensure(names.map((name) => ({ name, ...spec })));
  expect(made).toEqual(names.map((name) => ({ name, state: 'created', partitions: 8 })));
});

test('a partition without a leader, or a topic that is not there, leaves all others as they are', async () => {
  const assigned = (...replicas: number[]) =>
    replicas.map((replica, partition) => ({ partition, replicas: [replica] }));
  await admin.createTopics({ topics: [{ topic: 'lonely', replicaAssignment: assigned(1, 3) }] });
  const signal = new AbortController().signal;
  const config = { brokers: stack.local.kafka.brokers, clientId: 'test' };
  const log = createKafkaLog(config, QUIET, systemClock);
  const append = async (topic: string, partition: number, of = log) => {
    try {
      const record = { key: null, value: Buffer.from('x'), meta: null };
      return (await of.append(topic, partition, [record], signal)) >= 0 ? 'appended' : 'nowhere';
    } catch (error) {
      return error instanceof DependencyError ? `${error.code}, ${error.message}` : error;
    }
  };
  const absent = 'unavailable, kafka: absent: This server does not host this topic-partition';
  expect([await append('lonely', 0), await append('lonely', 1)]).toEqual(['appended', 'appended']);
  expect([await append('absent', 0), await append('lonely', 0)]).toEqual([absent, 'appended']);
  stack.signal('kafka-3', 'SIGSTOP');
  try {
    const leaderless = 'unavailable, kafka: lonely/1 has no leader';
    await expect.poll(() => append('lonely', 1), { timeout: 60_000 }).toBe(leaderless);
    const fresh = createKafkaLog(config, QUIET, systemClock);
    for (const each of [log, fresh]) {
      expect([await append('lonely', 0, each), await append('lonely', 1, each)]).toEqual(['appended', leaderless]);
      expect((await each.bounds('lonely', 0, signal)).end).toBeGreaterThan(0);
    }
    await fresh.close();
  } finally {
    stack.signal('kafka-3', 'SIGCONT');
  }
  await expect.poll(() => append('lonely', 1), { timeout: 60_000 }).toBe('appended');
  await admin.createTopics({ topics: [{ topic: 'absent', numPartitions: 1 }] });
  await expect.poll(() => append('absent', 0), { timeout: 30_000 }).toBe('appended');
  await log.close();
}, 180_000);
