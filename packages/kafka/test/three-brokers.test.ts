import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TestStack } from '@weir/testkit';
import kafkajs, { type Admin } from 'kafkajs';
import { afterAll, beforeAll, expect, test } from 'vitest';
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
