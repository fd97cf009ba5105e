import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Membership } from '@weir/delivery';
import { type DependencyError, systemClock } from '@weir/pipeline';
import { pause, TestStack } from '@weir/testkit';
import kafkajs from 'kafkajs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createKafkaAdmin, createMembership, type KafkaConfig } from '../src/index.ts';

const QUIET = { warn: () => undefined, debug: () => undefined };
const NEVER = new AbortController().signal;
const TOPIC = 'test.group';
const GROUP = 'test.group.members';
const PARTITIONS = 4;

const dataDir = mkdtempSync(join(tmpdir(), 'weir-group-'));
let stack: TestStack;
let config: KafkaConfig;
let admin: ReturnType<InstanceType<typeof kafkajs.Kafka>['admin']>;

beforeAll(async () => {
  stack = await TestStack.start(dataDir, { envoy: false });
  config = { brokers: stack.local.kafka.brokers, clientId: 'group-test' };
  await createKafkaAdmin(config, QUIET).ensure([
    { name: TOPIC, partitions: PARTITIONS, replicationFactor: 1, config: {} },
  ]);
  const kafka = new kafkajs.Kafka({ brokers: [...config.brokers], logLevel: kafkajs.logLevel.NOTHING });
  admin = kafka.admin();
  await admin.connect();
});

afterAll(async () => {
  await admin.disconnect();
  await stack.stop();
  rmSync(dataDir, { recursive: true, force: true });
});

interface Watched {
  readonly membership: Membership;
  owned: readonly number[];
  assignments: number;
  signsOfLife: number;
}

async function join_(): Promise<Watched> {
  const membership = createMembership(config, { groupId: GROUP, topic: TOPIC }, QUIET, systemClock);
  const watched: Watched = { membership, owned: [], assignments: 0, signsOfLife: 0 };
  const assigned = (partitions: readonly number[]) => {
    watched.owned = partitions;
    watched.assignments++;
  };
  const revoked = () => {
    watched.owned = [];
  };
  const alive = () => {
    watched.signsOfLife++;
  };
  await membership.join({ assigned, revoked, alive }, NEVER);
  return watched;
}

async function until(satisfied: () => boolean | Promise<boolean>, ms = 40_000): Promise<void> {
  const deadline = Date.now() + ms;
  while (!(await satisfied())) {
    if (Date.now() > deadline) throw new Error('not in time');
    await pause(100);
  }
}

async function membersOfGroup(): Promise<number> {
  const { groups } = await admin.describeGroups([GROUP]);
  return groups[0]?.members.length ?? 0;
}

function codeOf(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => 'no error',
    (error: DependencyError) => error.code,
  );
}

test('a member that starts while Kafka hangs joins once Kafka is back, and as one member', async () => {
  stack.signal('kafka', 'SIGSTOP');
  const member = await join_();
  await pause(12_000);
  expect(member.owned).toEqual([]);
  expect(await codeOf(member.membership.commit(new Map([[0, { offset: 1, metadata: '' }]]), NEVER))).toBe('fenced');
  stack.signal('kafka', 'SIGCONT');
  await until(() => member.owned.length === PARTITIONS);
  await pause(3_000);
  await until(async () => (await membersOfGroup()) === 1);
  expect(member.assignments).toBe(1);
  await member.membership.leave(NEVER);
  await until(async () => (await membersOfGroup()) === 0);
}, 120_000);

test('a commit without an answer is an error, ends the generation, and cannot overwrite what comes later', async () => {
  const member = await join_();
  await until(() => member.owned.length === PARTITIONS);
  await member.membership.commit(new Map([[1, { offset: 100, metadata: 'before' }]]), NEVER);
  stack.signal('kafka', 'SIGSTOP');
  const hanging = codeOf(member.membership.commit(new Map([[1, { offset: 101, metadata: 'hangs' }]]), NEVER));
  expect(await hanging).toBe('timeout');
  expect(member.owned).toEqual([]);
  expect(await codeOf(member.membership.commit(new Map([[1, { offset: 102, metadata: '' }]]), NEVER))).toBe('fenced');
  stack.signal('kafka', 'SIGCONT');
  await until(() => member.owned.length === PARTITIONS);
  expect(await codeOf(member.membership.commit(new Map([[1, { offset: 103, metadata: 'after' }]]), NEVER))).toBe(
    'no error',
  );
  await pause(2_000);
  expect(await member.membership.committed(1, NEVER)).toEqual({ offset: 103, metadata: 'after' });
  await until(async () => (await membersOfGroup()) === 1);
  await member.membership.leave(NEVER);
}, 120_000);

test('a member whose work waits for longer than its session keeps its partitions', async () => {
  const member = await join_();
  await until(() => member.owned.length === PARTITIONS);
  member.signsOfLife = 0;
  await pause(13_000);
  expect([member.owned.length, member.assignments]).toEqual([PARTITIONS, 1]);
  expect(member.signsOfLife).toBeGreaterThan(5);
  expect(await codeOf(member.membership.commit(new Map([[2, { offset: 7, metadata: '' }]]), NEVER))).toBe('no error');
  await member.membership.leave(NEVER);
}, 120_000);

test('when one of two members leaves, the other has all partitions', async () => {
  const first = await join_();
  const second = await join_();
  await until(() => first.owned.length === 2 && second.owned.length === 2);
  await first.membership.leave(NEVER);
  await until(() => second.owned.length === PARTITIONS);
  await second.membership.leave(NEVER);
}, 120_000);

test('partitions that are added are given out', async () => {
  const member = await join_();
  await until(() => member.owned.length === PARTITIONS);
  await admin.createPartitions({ topicPartitions: [{ topic: TOPIC, count: PARTITIONS + 2 }] });
  await until(() => member.owned.length === PARTITIONS + 2, 90_000);
  await member.membership.leave(NEVER);
}, 120_000);
