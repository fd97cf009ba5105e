import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '@weir/pipeline';
import { encodeExport, freePorts, OtlpClient, pause, TestStack } from '@weir/testkit';
import kafkajs from 'kafkajs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { KafkaConfig } from '../src/kafka-config.ts';
import { createKafkaLog } from '../src/kafka-log.ts';
import { createKafkaAdmin } from '../src/topics.ts';
import { expectThreeCopies } from './three-copies.ts';

const ROOT = join(import.meta.dirname, '../../..');
const QUIET = { warn: () => undefined, debug: () => undefined };
const dataDir = mkdtempSync(join(tmpdir(), 'weir-secured-'));
const strangers: ChildProcess[] = [];
let stack: TestStack;
let client: OtlpClient;

beforeAll(async () => {
  const env = { WEIR_LOCAL_KAFKA_BROKERS: '3', WEIR_LOCAL_KAFKA_SECURITY: 'SASL_SSL' };
  stack = await TestStack.start(dataDir, { envoy: false, env });
  client = new OtlpClient(stack);
});

afterAll(async () => {
  for (const stranger of strangers) stranger.kill('SIGKILL');
  await client?.close();
  await stack?.stop();
  rmSync(dataDir, { recursive: true, force: true });
});

function security() {
  const { security } = stack.local.kafka;
  if (security === undefined) throw new Error('local.json does not say how to reach a secured Kafka');
  return security;
}

/** As the services reach Kafka. */
function kafkaConfig(): KafkaConfig {
  const { ca, certFile, keyFile, mechanism, user, passwordFile } = security();
  const read = (path: string) => readFileSync(path, 'utf8');
  const material = { ca: read(ca), cert: read(certFile), key: read(keyFile) };
  return {
    brokers: stack.local.kafka.brokers,
    clientId: 'secured-test',
    tls: { material: () => material },
    sasl: { mechanism, username: user, password: read(passwordFile) },
  };
}

function kafkajsAdmin(options: Partial<kafkajs.KafkaConfig> = {}) {
  const { tls, sasl, brokers } = kafkaConfig();
  const kafka = new kafkajs.Kafka({
    brokers: [...brokers],
    ssl: { ...tls?.material() },
    sasl: { ...sasl, mechanism: 'scram-sha-512' } as kafkajs.SASLOptions,
    logLevel: kafkajs.logLevel.NOTHING,
    ...options,
  });
  return kafka.admin();
}

function span(name: string, number: number): Buffer {
  const spanId = Buffer.alloc(8);
  spanId.writeUInt32BE(number + 1, 4);
  const made = {
    traceId: new Uint8Array(16).fill(7),
    spanId: new Uint8Array(spanId),
    name,
    startTimeUnixNano: BigInt(Date.now()) * 1_000_000n,
  };
  return Buffer.from(encodeExport('traces', { resourceSpans: [{ scopeSpans: [{ spans: [made] }] }] }));
}

/** Sends one span after the other for a while, each until it is taken; numbers of those that were sent only once. */
async function sendFor(ms: number, name: string): Promise<{ sent: number; once: Set<number>; refused: number }> {
  const key = stack.key('demo');
  const once = new Set<number>();
  let refused = 0;
  let number = 0;
  for (const deadline = Date.now() + ms; Date.now() < deadline; number++) {
    for (let tries = 1; ; tries++) {
      const { status } = await client.export('traces', span(name, number), { key });
      if (status === 200) {
        if (tries === 1) once.add(number);
        break;
      }
      expect(status).toBe(503);
      refused++;
      await pause(200);
    }
    await pause(20);
  }
  return { sent: number, once, refused };
}

async function stored(name: string, sent: number): Promise<Map<number, number>> {
  const from = `FROM otel_traces WHERE SpanName = '${name}'`;
  await stack.until<{ n: string }>(`SELECT uniqExact(SpanId) AS n ${from}`, ({ n }) => Number(n) >= sent, 60_000);
  const rows = await stack.query<{ SpanId: string; n: string }>(`SELECT SpanId, count() AS n ${from} GROUP BY SpanId`);
  return new Map(rows.map(({ SpanId, n }) => [Number.parseInt(SpanId, 16) - 1, Number(n)]));
}

test('every topic has three copies, of which two must be in sync', async () => {
  const admin = kafkajsAdmin();
  await admin.connect();
  await expectThreeCopies(admin);
  await admin.disconnect();
});

test('spans go from the edge to ClickHouse, and none is lost or doubled while a broker is killed', async () => {
  const load = sendFor(20_000, 'secured');
  await pause(6_000);
  stack.signal('kafka-2', 'SIGKILL');
  const { sent, once, refused } = await load;
  const found = await stored('secured', sent);
  expect(found.size).toBe(sent);
  expect([...once].filter((number) => found.get(number) !== 1)).toEqual([]);
  expect(once.size).toBeGreaterThan(sent / 2);
  expect(refused).toBeLessThan(sent);
  const ready = () => Promise.all(['edge', 'normalizer', 'sink'].map((name) => stack.ready(name)));
  await expect.poll(ready, { timeout: 30_000 }).toEqual([true, true, true]);
});

/** What becomes of a client that does not prove itself anew, when it asks again after a while. */
async function cutOff(ms: number): Promise<string> {
  const admin = kafkajsAdmin({ reauthenticationThreshold: -1_000_000, retry: { retries: 0 } });
  await admin.connect();
  await admin.listTopics();
  await pause(ms);
  const how = await admin.listTopics().then(
    () => 'goes on',
    (error: Error & { cause?: Error }) => error.cause?.name ?? error.name,
  );
  await admin.disconnect();
  return how;
}

test('a connection proves anew who it is before its session ends, and no append fails for it', async () => {
  const config = kafkaConfig();
  const topic = 'reauthenticated';
  const spec = { name: topic, partitions: 4, replicationFactor: 3, config: {} };
  await createKafkaAdmin(config, QUIET).ensure([spec]);
  const log = createKafkaLog(config, QUIET, systemClock);
  const signal = new AbortController().signal;
  const faults: unknown[] = [];
  let appended = 0;
  // Sessions last 20 s: a broker closes a connection that goes on for longer without proving itself.
  const deadline = Date.now() + 32_000;
  const fill = async (partition: number) => {
    while (Date.now() < deadline) {
      // Takes a while to be compressed: meanwhile another append may find that the session ends.
      const record = { key: null, value: Buffer.alloc(200_000, `${appended}`), meta: null, plain: true };
      const records = Array.from({ length: 10 }, () => record);
      await log.append(topic, partition, records, signal).then(
        () => appended++,
        (error: unknown) => faults.push(error),
      );
      await pause(2);
    }
  };
  const [forgetful] = await Promise.all([cutOff(25_000), ...[0, 1, 2, 3].map(fill)]);
  await log.close();
  expect(forgetful).toBe('KafkaJSConnectionClosedError');
  expect(faults).toEqual([]);
  expect(appended).toBeGreaterThan(100);
});

/** Where Kafka is, and all that opens it but the password. */
function kafkaEnv(): Record<string, string | undefined> {
  const { ca, certFile, keyFile, mechanism, user } = security();
  return {
    PATH: process.env.PATH,
    WEIR_KAFKA_BROKERS: stack.local.kafka.brokers.join(','),
    WEIR_KAFKA_TLS: 'true',
    WEIR_KAFKA_TLS_CA_FILE: ca,
    WEIR_KAFKA_TLS_CERT_FILE: certFile,
    WEIR_KAFKA_TLS_KEY_FILE: keyFile,
    WEIR_KAFKA_SASL_MECHANISM: mechanism,
    WEIR_KAFKA_SASL_USER: user,
  };
}

/** A service beside those of the stack, with settings of its own. */
async function startStranger(service: string, env: Record<string, string>) {
  const base = await freePorts(3);
  const tls = join(dataDir, 'tls');
  const child = spawn(process.execPath, [join(ROOT, 'services', service, 'src/main.ts')], {
    env: {
      ...kafkaEnv(),
      WEIR_CLICKHOUSE_URL: stack.local.clickhouse.url,
      WEIR_KEY_PEPPER_FILE: join(dataDir, 'pepper'),
      WEIR_STATE_DIR: join(dataDir, `state-of-a-stranger-${service}`),
      WEIR_TLS_CERT_FILE: join(tls, 'server.pem'),
      WEIR_TLS_KEY_FILE: join(tls, 'server.key'),
      WEIR_ADMIN_LISTEN: `127.0.0.1:${base}`,
      WEIR_GRPC_LISTEN: `127.0.0.1:${base + 1}`,
      WEIR_HTTP_LISTEN: `127.0.0.1:${base + 2}`,
      ...env,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  strangers.push(child);
  const lines: string[] = [];
  child.stdout.setEncoding('utf8').on('data', (text: string) => lines.push(...text.split('\n').filter(Boolean)));
  const readyz = async () => {
    try {
      const answer = await fetch(`http://127.0.0.1:${base}/readyz`);
      await answer.arrayBuffer();
      return answer.status;
    } catch {
      return 0;
    }
  };
  return { child, lines, readyz, http: base + 2 };
}

test('services with a wrong password say so, are not ready, and go on', async () => {
  const started = await Promise.all(
    ['edge', 'normalizer', 'sink'].map((service) => startStranger(service, { WEIR_KAFKA_SASL_PASSWORD: 'guessed' })),
  );
  const told = (lines: readonly string[]) => lines.filter((line) => line.includes('authentication failed'));
  for (const { lines, readyz } of started) {
    await expect.poll(() => told(lines).length, { timeout: 30_000 }).toBeGreaterThan(0);
    await expect.poll(readyz, { timeout: 30_000 }).toBe(503);
  }
  await pause(5_000);
  for (const { child, lines, readyz } of started) {
    expect(child.exitCode).toBeNull();
    expect(await readyz()).toBe(503);
    expect(JSON.parse(told(lines)[0]!)).toMatchObject({ level: 'warn' });
    // A line of each part of the client for each broker, once a minute; not one for each attempt.
    expect(lines.length).toBeLessThan(40);
    expect(lines.join('')).not.toContain('guessed');
    child.kill('SIGTERM');
    await expect.poll(() => child.exitCode, { timeout: 30_000 }).toBe(0);
  }
});

/** Runs ingestctl as a process of its own, with other settings than the services'. */
async function ingestctl(env: Record<string, string | undefined>, ...args: string[]) {
  const child = spawn(process.execPath, [join(ROOT, 'packages/ingestctl/src/main.ts'), ...args], {
    env: {
      ...kafkaEnv(),
      WEIR_CLICKHOUSE_URL: stack.local.clickhouse.url,
      WEIR_KAFKA_SASL_PASSWORD_FILE: security().passwordFile,
      ...env,
    },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let err = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    err += text;
  });
  const status = await new Promise<number | null>((resolve) => child.once('close', resolve));
  return { status, lines: err.trim().split('\n').filter(Boolean) };
}

test('ingestctl with a wrong password, another CA, or no certificate fails with one line and status 3', async () => {
  const run = (env: Record<string, string | undefined>) => ingestctl(env, 'topics', 'status');
  expect(await run({})).toEqual({ status: 0, lines: [] });
  const wrong = await run({ WEIR_KAFKA_SASL_PASSWORD: 'guessed', WEIR_KAFKA_SASL_PASSWORD_FILE: undefined });
  expect(wrong).toEqual({ status: 3, lines: [expect.stringContaining('authentication failed')] });
  const stranger = await run({ WEIR_KAFKA_TLS_CA_FILE: undefined });
  expect(stranger).toEqual({ status: 3, lines: [expect.stringMatching(/certificate/)] });
  const nobody = await run({ WEIR_KAFKA_TLS_CERT_FILE: undefined, WEIR_KAFKA_TLS_KEY_FILE: undefined });
  expect(nobody).toEqual({ status: 3, lines: [expect.stringMatching(/^ingestctl: kafka: /)] });
});

const { READ, WRITE, DESCRIBE, DESCRIBE_CONFIGS } = kafkajs.AclOperationTypes;
const { TOPIC, GROUP } = kafkajs.AclResourceTypes;
/** What docs/DEPLOYMENT.md has in its table of rights. */
const RIGHTS: readonly (readonly [user: string, type: number, prefix: string, operations: readonly number[]])[] = [
  ['edge', TOPIC, 'weir.', [READ, WRITE, DESCRIBE]],
  ['normalizer', TOPIC, 'weir.', [READ, WRITE, DESCRIBE]],
  ['normalizer', TOPIC, 'weir.raw.', [DESCRIBE_CONFIGS]],
  ['normalizer', GROUP, 'weir.', [READ]],
  ['sink', TOPIC, 'weir.', [READ, WRITE, DESCRIBE]],
  ['sink', TOPIC, 'weir.rows.', [DESCRIBE_CONFIGS]],
  ['sink', GROUP, 'weir.', [READ]],
  ['operator', TOPIC, 'weir.', [READ, DESCRIBE]],
  ['operator', GROUP, 'weir.', [DESCRIBE]],
];

async function giveRights(): Promise<void> {
  const acl = RIGHTS.flatMap(([user, resourceType, resourceName, operations]) =>
    operations.map((operation) => ({
      principal: `User:${user}`,
      host: '*',
      permissionType: kafkajs.AclPermissionTypes.ALLOW,
      resourcePatternType: kafkajs.ResourcePatternTypes.PREFIXED,
      resourceType,
      resourceName,
      operation,
    })),
  );
  const admin = kafkajsAdmin();
  await admin.connect();
  await admin.createAcls({ acl });
  await admin.disconnect();
}

/** Sends one span to an edge that is not the stack's; its status. */
function sendTo(port: number, name: string): Promise<number> {
  const headers = { authorization: `Bearer ${stack.key('demo')}`, 'content-type': 'application/x-protobuf' };
  const to = { host: 'localhost', port, path: '/v1/traces', method: 'POST', ca: stack.ca, headers };
  return new Promise((resolve, reject) => {
    const asked = request(to, (answer) => {
      answer.resume();
      resolve(answer.statusCode ?? 0);
    });
    asked.on('error', reject).end(span(name, 1));
  });
}

test('each service does its work with the rights of the documentation, and none without them', async () => {
  const own = ['--tracks', 'v3', '--partitions', '2', '--replication-factor', '3'];
  expect(await ingestctl({}, 'topics', 'apply', ...own)).toEqual({ status: 0, lines: [] });
  const { passwordFile } = security();
  const asUser = (user: string) => ({
    WEIR_KAFKA_SASL_USER: user,
    WEIR_KAFKA_SASL_PASSWORD_FILE: passwordFile,
    WEIR_TRACK: 'v3',
  });
  const services = ['edge', 'normalizer', 'sink'];
  const start = () => Promise.all(services.map((service) => startStranger(service, asUser(service))));
  const without = await start();
  await pause(5_000);
  expect(await Promise.all(without.map(({ readyz }) => readyz()))).toEqual([503, 503, 503]);
  for (const { child } of without) child.kill('SIGKILL');
  const operator = asUser('operator');
  expect(await ingestctl(operator, 'lag', '--tracks', 'v3')).toMatchObject({ status: 3 });

  await giveRights();
  const started = await start();
  const ready = () => Promise.all(started.map(({ readyz }) => readyz()));
  await expect.poll(ready, { timeout: 60_000 }).toEqual([200, 200, 200]);
  expect(await sendTo(started[0]!.http, 'with rights')).toBe(200);
  await stored('with rights', 1);
  for (const { lines } of started) expect(lines.filter((line) => /authori[sz]/i.test(line))).toEqual([]);
  for (const args of [
    ['lag', '--tracks', 'v3'],
    ['dlq', 'list'],
    ['audit', '--tenant', 'demo', '--tracks', 'v1,v3'],
  ]) {
    expect([args, await ingestctl(operator, ...args)]).toEqual([args, { status: 0, lines: [] }]);
  }
  expect(await ingestctl(operator, 'topics', 'apply', '--tracks', 'v4')).toMatchObject({
    status: 3,
    lines: [expect.stringMatching(/authori[sz]/i)],
  });
}, 180_000);
