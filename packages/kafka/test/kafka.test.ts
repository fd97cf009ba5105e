import { randomBytes } from 'node:crypto';
import { type Log, type Membership, REVISIONS, RowsWriter, takeOver } from '@weir/delivery';
import { type DependencyError, freeBytes, systemClock } from '@weir/pipeline';
import { pause } from '@weir/testkit';
import { sharedStack } from '@weir/testkit/vitest';
import { ConfigResourceTypes, Kafka, logLevel, type PartitionAssigner, PartitionAssigners } from 'kafkajs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { batchExpansion, openedBatches } from '../src/batch-zstd.ts';
import {
  createGroupPositions,
  createKafkaAdmin,
  createKafkaLog,
  createMembership,
  type KafkaConfig,
  type KafkaLog,
} from '../src/index.ts';

const QUIET = { warn: () => undefined, debug: () => undefined };
const NEVER = new AbortController().signal;
const TOPIC = `test.kafka.${randomBytes(4).toString('hex')}`;
const RECORD_BYTES_MAX = 1024 ** 2;
const READ = { maxBytes: 1024 ** 2, maxWaitMs: 1_000 };
const META = Buffer.of(1, 2, 3);

let config: KafkaConfig;
let log: KafkaLog;

beforeAll(async () => {
  config = { brokers: sharedStack().local.kafka.brokers, clientId: 'kafka-test' };
  const limits = { 'max.message.bytes': String(RECORD_BYTES_MAX), 'message.timestamp.type': 'LogAppendTime' };
  await createKafkaAdmin(config, QUIET).ensure([{ name: TOPIC, partitions: 8, replicationFactor: 1, config: limits }]);
  log = createKafkaLog(config, QUIET, systemClock);
});

afterAll(() => log.close());

function record(text: string) {
  return { key: null, value: Buffer.from(text), meta: META };
}

function codeOf(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => 'no error',
    (error: DependencyError) => `${error.code}${error.retryable ? ', retryable' : ''}`,
  );
}

test('what is appended is read back in order, with its header, at the offsets that were answered', async () => {
  const before = Date.now();
  const first = await log.append(TOPIC, 0, [record('a'), record('b')], NEVER);
  const second = await log.append(TOPIC, 0, [{ key: Buffer.from('k'), value: null, meta: null }], NEVER);
  expect(second).toBe(first + 2);
  const page = await log.read(TOPIC, 0, first, READ, NEVER);
  expect(page.records.map(({ offset, key, value, meta }) => [offset, key, value, meta])).toEqual([
    [first, null, Buffer.from('a'), META],
    [first + 1, null, Buffer.from('b'), META],
    [second, Buffer.from('k'), null, null],
  ]);
  expect(page.nextOffset).toBe(second + 1);
  expect(Math.abs(page.records[0]!.timestampMs - before)).toBeLessThan(60_000);
  expect(await log.bounds(TOPIC, 0, NEVER)).toEqual({ start: 0, end: second + 1 });
});

test('a read at the end waits its time and gives nothing; a record that comes meanwhile ends it', async () => {
  const { end } = await log.bounds(TOPIC, 1, NEVER);
  const empty = await log.read(TOPIC, 1, end, { ...READ, maxWaitMs: 300 }, NEVER);
  expect([empty.records.length, empty.nextOffset]).toEqual([0, end]);
  const waiting = log.read(TOPIC, 1, end, { ...READ, maxWaitMs: 20_000 }, NEVER);
  await log.append(TOPIC, 1, [record('late')], NEVER);
  expect(String((await waiting).records[0]?.value)).toBe('late');
});

test('a topic that has too few partitions gets its settings, too', async () => {
  const admin = createKafkaAdmin(config, QUIET);
  const name = `${TOPIC}-grown`;
  const ensure = async (partitions: number, retentionMs: string) =>
    (await admin.ensure([{ name, partitions, replicationFactor: 1, config: { 'retention.ms': retentionMs } }]))[0];
  expect(await ensure(1, '1000000')).toEqual({ name, state: 'created', partitions: 1 });
  expect(await ensure(2, '2000000')).toEqual({ name, state: 'grown', partitions: 2 });
  expect(await ensure(2, '2000000')).toEqual({ name, state: 'unchanged', partitions: 2 });
  expect(await ensure(3, '1000000')).toEqual({ name, state: 'kept longer', partitions: 3 });
});

test('a retention that was lengthened by hand stays, and so do settings that no spec names, unless it is said otherwise', async () => {
  const admin = createKafkaAdmin(config, QUIET);
  const name = `${TOPIC}-settings`;
  const topic = (settings: Record<string, string>) => ({
    name,
    partitions: 1,
    replicationFactor: 1,
    config: settings,
  });
  const state = async (settings: Record<string, string>, mayShorten = false) =>
    (await admin.ensure([topic(settings)], mayShorten))[0]?.state;
  const wanted = { 'retention.ms': '1000000', 'max.message.bytes': '1000' };
  expect(await state(wanted)).toBe('created');
  expect(await state({ 'retention.ms': '2000000', 'retention.bytes': '77000000' }, true)).toBe('configured');
  // Altering one setting keeps all the others.
  expect(await state({ 'max.message.bytes': '2000' })).toBe('configured');
  expect(await state({ 'retention.ms': '2000000', 'retention.bytes': '77000000' })).toBe('unchanged');
  expect(await state(wanted)).toBe('kept longer');
  expect(await state({ ...wanted, 'retention.ms': '2000000' })).toBe('unchanged');
  expect(await state(wanted, true)).toBe('configured');
  expect(await state({ ...wanted, 'retention.bytes': '77000000' })).toBe('unchanged');
});

test('the one broker writes each append to its disk before it answers, and weir.progress is written so by any', async () => {
  const admin = new Kafka({ brokers: [...config.brokers], logLevel: logLevel.NOTHING }).admin();
  await admin.connect();
  const names = [TOPIC, 'weir.progress'];
  const { resources } = await admin.describeConfigs({
    includeSynonyms: true,
    resources: names.map((name) => ({ type: ConfigResourceTypes.TOPIC, name, configNames: ['flush.messages'] })),
  });
  await admin.disconnect();
  const flushed = resources.map(({ resourceName, configEntries: [entry] }) => {
    const names = entry!.configSynonyms.map(({ configName }) => configName);
    return [resourceName, entry!.configValue, names.includes('flush.messages')];
  });
  expect(new Map(flushed.map(([name, ...found]) => [name, found]))).toEqual(
    new Map([
      [TOPIC, ['1', false]],
      ['weir.progress', ['1', true]],
    ]),
  );
});

test('two readers of one partition at once each get the page that they asked for', async () => {
  const { end: first } = await log.bounds(TOPIC, 2, NEVER);
  // One batch each: a broker answers with whole batches.
  for (let i = 0; i < 10; i++) await log.append(TOPIC, 2, [record(`r${i}`)], NEVER);
  const asked = [first, first + 7, first + 3];
  const pages = await Promise.all(asked.map((offset) => log.read(TOPIC, 2, offset, READ, NEVER)));
  expect(pages.map(({ records }) => records[0]?.offset)).toEqual(asked);
});

test('a partition that cannot be read does not fail the others that are read with it', async () => {
  const first = await log.append(TOPIC, 7, [record('there')], NEVER);
  const { end } = await log.bounds(TOPIC, 1, NEVER);
  const reads = [
    log.read(TOPIC, 1, end + 1_000, READ, NEVER),
    log.read(TOPIC, 7, first, READ, NEVER),
    log.read(TOPIC, 3, 1_000_000, READ, NEVER),
  ];
  const [beyond, there, further] = await Promise.allSettled(reads);
  expect(there?.status === 'fulfilled' && String(there.value.records[0]?.value)).toBe('there');
  expect([beyond?.status, further?.status]).toEqual(['rejected', 'rejected']);
});

test('calls that come at once on a new connection all succeed', async () => {
  const fresh = createKafkaLog(config, QUIET, systemClock);
  const calls = Array.from({ length: 8 }, (_, partition) => [
    fresh.bounds(TOPIC, partition, NEVER),
    fresh.append(TOPIC, partition, [record('at once')], NEVER),
  ]);
  const settled = await Promise.allSettled(calls.flat());
  expect(settled.map(({ status }) => status)).toEqual(settled.map(() => 'fulfilled'));
  await fresh.close();
});

test('a connection that waits for nothing sets no timers', async () => {
  const idle = createKafkaLog(config, QUIET, systemClock);
  await idle.append(TOPIC, 0, [record('warm')], NEVER);
  await pause(500);
  const real = globalThis.setTimeout;
  let timers = 0;
  globalThis.setTimeout = ((...args: Parameters<typeof real>) => {
    timers++;
    return real(...args);
  }) as typeof real;
  try {
    await new Promise((resolve) => real(resolve, 1_000));
  } finally {
    globalThis.setTimeout = real;
  }
  // Unpatched it is one a millisecond; the log that the other tests use is idle, too.
  expect(timers).toBeLessThan(20);
  await idle.close();
});

test('long polls do not hold up appends', async () => {
  const stop = new AbortController();
  const { end } = await log.bounds(TOPIC, 3, NEVER);
  const polls = log.read(TOPIC, 3, end, { ...READ, maxWaitMs: 20_000 }, stop.signal).catch(() => undefined);
  await log.append(TOPIC, 4, [record('warm')], NEVER);
  const startedMs = systemClock.nowMs();
  for (let i = 0; i < 10; i++) await log.append(TOPIC, 4, [record('x')], NEVER);
  // One connection for both would cost a poll of 100 ms for each append.
  expect(systemClock.nowMs() - startedMs).toBeLessThan(800);
  stop.abort();
  await polls;
});

test('long polls do not hold up reads of what is there', async () => {
  const { end } = await log.bounds(TOPIC, 5, NEVER);
  const first = await log.append(TOPIC, 6, [record('r0')], NEVER);
  for (let i = 1; i < 40; i++) await log.append(TOPIC, 6, [record(`r${i}`)], NEVER);
  const ended: string[] = [];
  const idle = log.read(TOPIC, 5, end, { ...READ, maxWaitMs: 2_000 }, NEVER).then(() => ended.push('the wait'));
  for (let i = 0; i < 40; i++) {
    const page = await log.read(TOPIC, 6, first + i, { ...READ, maxBytes: 1 }, NEVER);
    expect(String(page.records[0]?.value)).toBe(`r${i}`);
  }
  ended.push('the reads');
  await idle;
  expect(ended).toEqual(['the reads', 'the wait']);
});

test('the memory of an answer can be given back: the next one has no part of it', async () => {
  const value = randomBytes(600_000);
  const first = await log.append(TOPIC, 7, [{ key: null, value, meta: META }], NEVER);
  for (let time = 0; time < 3; time++) {
    const page = await log.read(TOPIC, 7, first, READ, NEVER);
    const read = page.records[0]!.value!;
    expect(read.equals(value)).toBe(true);
    freeBytes(read);
    expect(read.length).toBe(0);
  }
});

test('values and headers of every length come back as they were, in one append', async () => {
  const lengths = [0, 1, 511, 2_047, 2_048, 2_049, 5_000, 0, 100_000, 3, 70_000];
  const records = lengths.map((length, i) => ({
    key: i % 2 === 0 ? null : randomBytes(lengths[lengths.length - 1 - i]!),
    value: randomBytes(length),
    meta: randomBytes(lengths[(i + 3) % lengths.length]!),
  }));
  const first = await log.append(TOPIC, 4, records, NEVER);
  const page = await log.read(TOPIC, 4, first, READ, NEVER);
  expect(page.records.map(({ key, value, meta }) => ({ key, value, meta }))).toEqual(records);
});

test('failures say whether trying again may help', async () => {
  const { end } = await log.bounds(TOPIC, 5, NEVER);
  expect(await codeOf(log.read(TOPIC, 5, end + 1_000, READ, NEVER))).toBe('rejected');
  const tooLarge = { key: null, value: randomBytes(2 * RECORD_BYTES_MAX), meta: META };
  expect(await codeOf(log.append(TOPIC, 5, [tooLarge], NEVER))).toBe('rejected');
  expect(await codeOf(log.append(`${TOPIC}.none`, 0, [record('x')], NEVER))).toBe('unavailable, retryable');
  const nobody = createKafkaLog({ brokers: ['127.0.0.1:1'], clientId: 'x' }, QUIET, systemClock);
  expect(await codeOf(nobody.append(TOPIC, 0, [record('x')], NEVER))).toBe('unavailable, retryable');
  await nobody.close();
  expect((await log.bounds(TOPIC, 5, NEVER)).end).toBe(end);
});

test('of many that take a partition over only the newest owner can write', async () => {
  const rows = { log: log as Log, clock: systemClock, topic: TOPIC, partition: 6 };
  const ids = Array.from({ length: 4 }, () => randomBytes(8).toString('hex'));
  const owners = await Promise.all(ids.map((id) => takeOver(rows, id, null, NEVER)));
  expect(new Set(owners.map(({ epoch }) => epoch)).size).toBe(owners.length);
  const newest = Math.max(...owners.map(({ epoch }) => epoch));
  const content = { rawFirst: 0, rawLast: 0, oldestReceivedAtNs: 0n, sections: [], marks: [] };
  for (const owner of owners) {
    const offset = await new RowsWriter(rows, owner).append(content, Buffer.from('rows'), NEVER);
    expect(offset !== undefined).toBe(owner.epoch === newest);
  }
  const next = await takeOver(rows, randomBytes(8).toString('hex'), null, NEVER);
  expect([next.epoch > newest, next.rawLast]).toEqual([true, 0]);
});

interface Member {
  readonly membership: Membership;
  /** What it owns at present; null between assignments. */
  readonly owned: () => readonly number[] | null;
  /** What all members understood when it was given that. */
  readonly revision: () => number;
}

function member(groupId: string): Member {
  let owned: readonly number[] | null = null;
  let revision = 0;
  const membership = createMembership(config, { groupId, topic: TOPIC }, QUIET, systemClock);
  void membership.join(
    {
      assigned: (partitions, understood) => {
        owned = partitions;
        revision = understood;
      },
      revoked: () => {
        owned = null;
      },
    },
    NEVER,
  );
  return { membership, owned: () => owned, revision: () => revision };
}

async function until(satisfied: () => boolean): Promise<void> {
  for (let i = 0; i < 300 && !satisfied(); i++) await pause(100);
  expect(satisfied()).toBe(true);
}

test('members share the partitions, and only the owner of one commits it', async () => {
  const groupId = `${TOPIC}.group`;
  const first = member(groupId);
  await until(() => first.owned()?.length === 8);
  await first.membership.commit(new Map([[3, { offset: 5, metadata: 'kept' }]]), NEVER);
  const second = member(groupId);
  await until(() => first.owned()?.length === 4 && second.owned()?.length === 4);
  const shared = [...first.owned()!, ...second.owned()!].toSorted((a, b) => a - b);
  expect(shared).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
  expect(await second.membership.committed(3, NEVER)).toEqual({ offset: 5, metadata: 'kept' });
  expect(await second.membership.committed(4, NEVER)).toBeNull();
  const others = second.owned()![0]!;
  expect(await codeOf(first.membership.commit(new Map([[others, { offset: 9, metadata: '' }]]), NEVER))).toBe('fenced');
  // With one of its own it may answer for others: both are there, or neither.
  const [own, also] = [first.owned()![0]!, { offset: 7, metadata: 'with' }];
  await first.membership.commit(new Map([own, others].map((partition) => [partition, also])), NEVER);
  expect(await second.membership.committed(own, NEVER)).toEqual(also);
  expect(await second.membership.committed(others, NEVER)).toEqual(also);
  await second.membership.leave(NEVER);
  await until(() => first.owned()?.length === 8);
  await first.membership.leave(NEVER);
});

test('of several positions the broker takes those within its bound: one whose metadata is longer must not be sent', async () => {
  const { membership, owned } = member(`${TOPIC}.long`);
  await until(() => owned()?.length === 8);
  const [good, long] = [
    { offset: 5, metadata: 'good' },
    { offset: 6, metadata: 'm'.repeat(5_000) },
  ];
  expect(
    await codeOf(
      membership.commit(
        new Map([
          [0, long],
          [1, good],
        ]),
        NEVER,
      ),
    ),
  ).not.toBe('no error');
  expect(await membership.committed(0, NEVER)).toBeNull();
  expect(await membership.committed(1, NEVER)).toEqual(good);
  await membership.leave(NEVER);
});

test('who is in no group reads its positions, and puts them only while nobody is in it', async () => {
  const groupId = `${TOPIC}.nobody`;
  const positions = createGroupPositions(config, { groupId, topic: TOPIC }, QUIET);
  expect([await positions.read([0, 3]), await positions.isEmpty()]).toEqual([new Map(), true]);
  const { membership, owned } = member(groupId);
  await until(() => owned()?.length === 8);
  expect([await positions.read([0, 3]), await positions.isEmpty()]).toEqual([new Map(), false]);
  const theirs = { offset: 5, metadata: 'theirs' };
  await membership.commit(new Map([[3, theirs]]), NEVER);
  expect(await positions.read([0, 3])).toEqual(new Map([[3, theirs]]));
  const ours = { offset: 4, metadata: 'ours' };
  expect(await codeOf(positions.put(new Map([[3, ours]])))).toBe('fenced');
  await membership.leave(NEVER);
  expect(await positions.isEmpty()).toBe(true);
  await positions.put(new Map());
  await positions.put(new Map([[3, ours]]));
  expect(await positions.read([3])).toEqual(new Map([[3, ours]]));
  await positions.close();
});

const { roundRobin } = PartitionAssigners;
/** What a sink from before cuts of several partitions offers. */
const lanes: PartitionAssigner = (options) => ({ ...roundRobin(options), name: 'weir-lanes' });

test.each([
  ['lanes', REVISIONS.first, [roundRobin]],
  ['cuts of several partitions', REVISIONS.lanes, [lanes, roundRobin]],
])('as long as one member is from before %s, all are told so', async (_what, revision, partitionAssigners) => {
  const groupId = `${TOPIC}.old-${revision}`;
  const first = member(groupId);
  await until(() => first.owned()?.length === 8);
  expect(first.revision()).toBe(REVISIONS.several);
  // kafkajs's own consumer offers what members offered then, and nothing else.
  const kafka = new Kafka({ brokers: [...config.brokers], logLevel: logLevel.NOTHING });
  const old = kafka.consumer({ groupId, partitionAssigners });
  await old.connect();
  await old.subscribe({ topic: TOPIC });
  await old.run({ autoCommit: false, eachMessage: async () => undefined });
  await until(() => first.owned()?.length === 4);
  expect(first.revision()).toBe(revision);
  await old.disconnect();
  await until(() => first.owned()?.length === 8);
  expect(first.revision()).toBe(REVISIONS.several);
  await first.membership.leave(NEVER);
});

test('many small plain values are compressed together; the same ones over and over go as they are', async () => {
  const line = () => `${randomBytes(8).toString('hex')}: GET /api/users, 200, in 12 ms`;
  const values = Array.from({ length: 200 }, () => Array.from({ length: 8 }, line).join());
  const records = (texts: readonly string[]) => texts.map((text) => ({ ...record(text), plain: true }));
  const first = await log.append(TOPIC, 5, records(values), NEVER);
  const opened = openedBatches();
  const page = await log.read(TOPIC, 5, first, READ, NEVER);
  expect(page.records.map(({ value }) => String(value))).toEqual(values);
  expect(openedBatches()).toBe(opened + 1);
  expect(batchExpansion()).toBeGreaterThan(1);
  const second = await log.append(TOPIC, 5, records(Array<string>(200).fill('a'.repeat(1_000))), NEVER);
  const same = await log.read(TOPIC, 5, second, READ, NEVER);
  expect(same.records).toHaveLength(200);
  expect(openedBatches()).toBe(opened + 1);
});
