import { CONTROL_TOPICS, trackTopics } from '@weir/records';
import { encodeExport, OtlpClient, pause } from '@weir/testkit';
import kafkajs from 'kafkajs';
import { request } from 'undici';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { FaultStack } from '../src/index.ts';

const SERVICES = ['edge', 'normalizer', 'sink'] as const;
type Service = (typeof SERVICES)[number];

const POLL_MS = 200;
/** Beyond the longest time that a service takes to notice, and what its own retries may add to it. */
const NOTICED_MS = 60_000;

let faults: FaultStack;
let client: OtlpClient;

beforeAll(async () => {
  faults = await FaultStack.start({}, () => 0.5);
  client = new OtlpClient(faults.stack);
});

afterAll(async () => {
  await client.close();
  await faults.stop();
});

async function ask(service: Service, path: '/readyz' | '/healthz'): Promise<string> {
  const { statusCode, body } = await request(`${faults.stack.local.services[service]?.admin}${path}`);
  const text = await body.text();
  return statusCode === 200 ? 'ok' : text.trim();
}

/** Waits until readiness says so, while liveness says all the time that a restart would help nothing. */
async function untilReadiness(
  service: Service,
  satisfied: (reasons: string) => boolean,
  { sending = false } = {},
): Promise<void> {
  const deadline = Date.now() + NOTICED_MS;
  for (;;) {
    if (sending) expect(await send()).toBe(200);
    const reasons = await ask(service, '/readyz');
    expect(await ask(service, '/healthz')).toBe('ok');
    if (satisfied(reasons)) return;
    if (Date.now() > deadline) throw new Error(`${service} says: ${reasons}`);
    await pause(POLL_MS);
  }
}

const ready = (reasons: string) => reasons === 'ok';

let made = 0;

/** Sends one span and returns the status. */
async function send(): Promise<number> {
  const spanId = Buffer.alloc(8);
  spanId.writeUInt32BE(++made, 4);
  const span = { traceId: Buffer.alloc(16, 7), spanId, startTimeUnixNano: BigInt(Date.now()) * 1_000_000n };
  const body = encodeExport('traces', { resourceSpans: [{ scopeSpans: [{ spans: [span] }] }] });
  const { status } = await client.export('traces', Buffer.from(body), { key: faults.stack.key('demo') });
  return status;
}

async function untilAccepted(): Promise<void> {
  const deadline = Date.now() + NOTICED_MS;
  while ((await send()) !== 200) {
    if (Date.now() > deadline) throw new Error('still refused');
    await pause(POLL_MS);
  }
}

const TOPIC_RESOURCE = 2;
const SET_ON_TOPIC = 1;
const LARGEST = 'max.message.bytes';

/** Has the broker refuse whatever is appended to a topic, which can still be read; returns what lets it be appended again. */
async function readOnly(topic: string): Promise<() => Promise<void>> {
  const { brokers } = faults.stack.local.kafka;
  const admin = new kafkajs.Kafka({ brokers: [...brokers], logLevel: kafkajs.logLevel.NOTHING }).admin();
  await admin.connect();
  const { resources } = await admin.describeConfigs({
    includeSynonyms: false,
    resources: [{ type: TOPIC_RESOURCE, name: topic }],
  });
  // What is not named falls back to its default.
  const before = (resources[0]?.configEntries ?? [])
    .filter(({ configSource }) => configSource === SET_ON_TOPIC)
    .map(({ configName, configValue }) => ({ name: configName, value: configValue }));
  const alter = (configEntries: typeof before) =>
    admin.alterConfigs({ validateOnly: false, resources: [{ type: TOPIC_RESOURCE, name: topic, configEntries }] });
  await alter([...before.filter(({ name }) => name !== LARGEST), { name: LARGEST, value: '1' }]);
  return async () => {
    await alter(before);
    await admin.disconnect();
  };
}

test('a sink that cannot insert is not ready, the others are; it is ready again once it can', async () => {
  await untilAccepted();
  for (const service of SERVICES) await untilReadiness(service, ready);
  faults.clickhouse.fault = { down: true };
  expect(await send()).toBe(200);
  await untilReadiness('sink', (reasons) => reasons.includes('inserts into ClickHouse fail'));
  expect(await ask('edge', '/readyz')).toBe('ok');
  expect(await ask('normalizer', '/readyz')).toBe('ok');
  faults.clickhouse.fault = {};
  await untilReadiness('sink', ready);
});

test('without Kafka no service is ready, and each is again once Kafka is back', async () => {
  await untilAccepted();
  faults.kafka.fault = { down: true };
  await untilReadiness('edge', (reasons) => reasons.includes('Kafka'));
  for (const service of ['normalizer', 'sink'] as const) {
    await untilReadiness(service, (reasons) => reasons.includes('the consumer group has not given out partitions'));
  }
  faults.kafka.fault = {};
  for (const service of SERVICES) await untilReadiness(service, ready);
});

test.each([
  ['normalizer', trackTopics('v1').rows],
  ['sink', CONTROL_TOPICS.progress],
] as const)(
  'a %s that reads but cannot append to %s makes no progress and is not ready, until it can',
  async (service, topic) => {
    await untilAccepted();
    const writable = await readOnly(topic);
    // A broker takes a setting over a little after it said so: what was under way until then may still get through.
    await untilReadiness(service, (reasons) => reasons.includes('does not move'), { sending: true });
    await writable();
    await untilReadiness(service, ready);
  },
);
