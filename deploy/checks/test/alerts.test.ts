import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { createKafkaAdmin, type KafkaAdmin } from '@weir/kafka';
import { caseTenant, cutLog, encodeExport, OtlpClient, pause, TestStack, testCertificates } from '@weir/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parse } from 'yaml';
import { readPromql } from '../src/promql.ts';
import { promtoolTest, type Recorded, Recording } from '../src/recording.ts';
import { promtool, REPOSITORY, run } from '../src/tool-cache.ts';

const RULES = join(REPOSITORY, 'deploy/prometheus/rules/pipe.yml');
const QUIET = { warn: () => undefined, debug: () => undefined };
const PARTITIONS = 16;
const PHASE_MS = 240_000;

interface Rule {
  readonly alert: string;
  readonly expr: string;
}

const rules: Rule[] = parse(readFileSync(RULES, 'utf8')).groups.flatMap((group: { rules: Rule[] }) => group.rules);
const metrics = new Set(rules.flatMap(({ expr }) => readPromql(expr).selectors.map(({ metric }) => metric)));
const tool = await promtool();
const fired = new Set<string>();
const seen = new Set<string>();

const dataDir = mkdtempSync(join(tmpdir(), 'weir-alerts-'));
let stack: TestStack;
let client: OtlpClient;

/** A stack that is full soon. */
const ENV = {
  WEIR_LOCAL_KAFKA_SECURITY: 'SASL_SSL',
  WEIR_KAFKA_PARTITIONS: String(PARTITIONS),
  WEIR_SINK_BOOKS_INTERVAL: '5s',
  // A backlog becomes many cuts: what is late is seen in one scrape after the other, not in two by chance.
  WEIR_SINK_BATCH_ROWS: '1000',
  WEIR_SINK_BACKLOG_BYTES_MAX: '1500KiB',
  WEIR_NORMALIZER_BACKLOG_BYTES_MAX: '400KiB',
  WEIR_EDGE_QUEUE_ITEMS_MAX: '2000',
};

beforeAll(async () => {
  stack = await TestStack.start(dataDir, { envoy: false, env: ENV });
  client = new OtlpClient(stack);
});

afterAll(async () => {
  await client?.close();
  await stack?.stop();
  rmSync(dataDir, { recursive: true, force: true });
});

function logs(records: number, text = 'x'): Buffer {
  const record = {
    timeUnixNano: BigInt(Date.now()) * 1_000_000n,
    body: { value: { case: 'stringValue' as const, value: text } },
  };
  const logRecords = Array.from({ length: records }, () => record);
  return Buffer.from(encodeExport('logs', { resourceLogs: [{ scopeLogs: [{ logRecords }] }] }));
}

function badSpan(): Buffer {
  const spans = [{ traceId: new Uint8Array(7), spanId: new Uint8Array(8).fill(1), name: 'bad' }];
  return Buffer.from(encodeExport('traces', { resourceSpans: [{ scopeSpans: [{ spans }] }] }));
}

interface Load {
  readonly tenants: readonly string[];
  readonly body: () => Buffer;
  readonly signal?: 'traces' | 'logs';
  readonly everyMs: number;
}

/** Sends until it is ended, each tenant on its own, whatever is answered. */
function load({ tenants, body, signal = 'logs', everyMs }: Load): () => Promise<void> {
  let ended = false;
  const timers = tenants.map(async (tenant) => {
    const under = new Set<Promise<unknown>>();
    while (!ended) {
      const sent = client.export(signal, body(), { key: stack.key(tenant) }).catch(() => undefined);
      under.add(sent);
      sent.finally(() => under.delete(sent));
      await pause(everyMs);
    }
    await Promise.all(under);
  });
  return async () => {
    ended = true;
    await Promise.all(timers);
  };
}

function record(): Recording {
  const { services } = stack.local;
  const targets = ['edge', 'normalizer', 'sink'].map((job) => [job, services[job]!.admin]);
  return new Recording(Object.fromEntries(targets), metrics);
}

/** Whether these alerts fire, and no other where there must be none, when what was recorded is played. */
async function expectFiring(name: string, recorded: Recorded, alerts: readonly string[] | 'none'): Promise<void> {
  const file = join(dataDir, `${name}.yml`);
  writeFileSync(file, JSON.stringify(promtoolTest(RULES, name, recorded, alerts)));
  for (const { series } of recorded.series) seen.add(series.split('{', 1)[0]!);
  const ran = await run(tool!, ['test', 'rules', file]);
  expect(ran.stdout + ran.stderr).toContain('SUCCESS');
  for (const alert of alerts === 'none' ? [] : alerts) fired.add(alert);
}

async function scraped(recording: Recording, scrapes: number): Promise<void> {
  const wanted = recording.scrapes + scrapes;
  while (recording.scrapes < wanted) await pause(50);
}

function kafkaAdmin(): KafkaAdmin {
  const { brokers, security } = stack.local.kafka;
  const { ca, certFile, keyFile, mechanism, user: username, passwordFile } = security!;
  const read = (file: string) => readFileSync(file, 'utf8');
  const material = { ca: read(ca), cert: read(certFile), key: read(keyFile) };
  const tls = { serverName: undefined, material: () => material };
  const sasl = { mechanism, username, password: read(passwordFile) };
  return createKafkaAdmin({ brokers, clientId: 'alerts-test', tls, sasl }, QUIET);
}

/** Sets a topic otherwise than it should be; `ingestctl topics apply` puts it right. */
async function spoil(topic: string, config: Readonly<Record<string, string>>): Promise<void> {
  await kafkaAdmin().ensure([{ name: topic, partitions: PARTITIONS, replicationFactor: 1, config }], true);
}

const APPEND_TIME = { 'message.timestamp.type': 'LogAppendTime' };
const mended = () => stack.ingestctl('topics', 'apply', '--partitions', String(PARTITIONS));

/** Until all that waits is stored. */
async function drained(): Promise<void> {
  const lag = async () =>
    (await stack.metric('normalizer', 'weir_normalizer_lag_records')) +
    (await stack.metric('sink', 'weir_sink_lag_records'));
  for (const deadline = Date.now() + 60_000; (await lag()) > 0; await pause(200)) {
    if (Date.now() > deadline) throw new Error('what waits is not stored');
  }
}

const MANY = Array.from({ length: 40 }, (_, at) => caseTenant(at));

test.skipIf(tool === undefined)('nothing fires on a stack that is well', { timeout: PHASE_MS }, async () => {
  const end = load({ tenants: MANY.slice(0, 4), body: () => logs(5), everyMs: 100 });
  // The books were compared, and what was slow at the start has passed.
  while ((await stack.metric('sink', 'weir_sink_books_compared_seconds')) === 0) await pause(200);
  await pause(5_000);
  const recording = record();
  await scraped(recording, 90);
  await end();
  await expectFiring('well', await recording.stop(), 'none');
});

test.skipIf(tool === undefined)('ClickHouse refuses: a table is gone', { timeout: PHASE_MS }, async () => {
  await drained();
  const recording = record();
  await stack.query('RENAME TABLE otel_logs TO otel_logs_gone');
  const end = load({ tenants: MANY, body: () => logs(2), everyMs: 100 });
  await scraped(recording, 140);
  await end();
  await expectFiring('refuses', await recording.stop(), ['WeirClickHouseRefuses', 'WeirSinkLagGrows', 'WeirSinkFull']);

  // What waited has used half of what Kafka keeps.
  const near = record();
  await spoil('weir.rows.v1', { ...APPEND_TIME, 'retention.ms': '60000' });
  await scraped(near, 100);
  await expectFiring('near', await near.stop(), ['WeirRetentionNear']);
  await mended();

  const late = record();
  await stack.query('RENAME TABLE otel_logs_gone TO otel_logs');
  await drained();
  await scraped(late, 10);
  await expectFiring('late', await late.stop(), ['WeirRowsAreLate']);
});

test.skipIf(tool === undefined)(
  'rows cannot be written: Kafka takes only smaller records',
  { timeout: PHASE_MS },
  async () => {
    await drained();
    const recording = record();
    await spoil('weir.rows.v1', { ...APPEND_TIME, 'max.message.bytes': '10' });
    const end = load({ tenants: MANY, body: () => logs(2), everyMs: 40 });
    await scraped(recording, 100);
    await end();
    await expectFiring('rows', await recording.stop(), ['WeirNormalizerLagGrows', 'WeirNormalizerFull']);
    await mended();
    await drained();
  },
);

test.skipIf(tool === undefined)('exports cannot be written: Kafka hangs', { timeout: PHASE_MS }, async () => {
  const recording = record();
  stack.signal('kafka', 'SIGSTOP');
  const end = load({ tenants: MANY, body: () => logs(5), everyMs: 100 });
  await scraped(recording, 80);
  stack.signal('kafka', 'SIGCONT');
  await end();
  await expectFiring('raw', await recording.stop(), ['WeirKafkaDoesNotAcknowledge', 'WeirEdgeFull']);
  await drained();
});

test.skipIf(tool === undefined)(
  'a tenant is over its rate, and sends what cannot be stored',
  { timeout: PHASE_MS },
  async () => {
    const recording = record();
    const over = load({ tenants: ['throttled'], body: () => logs(3), everyMs: 200 });
    const bad = load({ tenants: [caseTenant(45)], body: badSpan, signal: 'traces', everyMs: 200 });
    await stack.query("ALTER TABLE otel_logs ADD CONSTRAINT alerts_test CHECK Body != 'refused'");
    const refused = load({ tenants: [caseTenant(46)], body: () => logs(1, 'refused'), everyMs: 200 });
    await scraped(recording, 80);
    await Promise.all([over(), bad(), refused()]);
    await stack.query('ALTER TABLE otel_logs DROP CONSTRAINT alerts_test');
    await expectFiring('tenant', await recording.stop(), ['WeirTenantOverQuota', 'WeirDeadLetters']);
  },
);

test.skipIf(tool === undefined)('certificates end in three days', { timeout: PHASE_MS }, async () => {
  const tls = join(dataDir, 'tls');
  const made = await testCertificates(join(dataDir, 'old'), new Date(Date.now() - 822 * 86_400_000));
  const recording = record();
  const files = (['serverCert', 'serverKey', 'clientCert', 'clientKey'] as const).map((name) => {
    const file = join(tls, basename(made[name]));
    const before = readFileSync(file);
    replace(file, readFileSync(made[name]));
    return { file, before };
  });
  await scraped(recording, 80);
  for (const { file, before } of files) replace(file, before);
  await expectFiring('certificates', await recording.stop(), ['WeirCertificateEnds', 'WeirClientCertificateEnds']);
});

test.skipIf(tool === undefined)(
  'rows are missing, and later the books cannot be read',
  { timeout: PHASE_MS },
  async () => {
    await drained();
    const key = stack.key(MANY[0]!);
    expect((await client.export('logs', logs(50), { key })).status).toBe(200);
    await stack.until<{ n: string }>(
      `SELECT count() AS n FROM otel_logs WHERE TenantId = '${MANY[0]}'`,
      ({ n }) => Number(n) >= 50,
    );
    const recording = record();
    await stack.query(`ALTER TABLE otel_logs DELETE WHERE TenantId = '${MANY[0]}' SETTINGS mutations_sync = 2`);
    await scraped(recording, 100);
    await expectFiring('missing', await recording.stop(), ['WeirBooksDoNotBalance']);

    const unread = record();
    await stack.query('RENAME TABLE weir_usage TO weir_usage_gone');
    await scraped(unread, 110);
    await stack.query('RENAME TABLE weir_usage_gone TO weir_usage');
    await expectFiring('unread', await unread.stop(), ['WeirBooksNotCompared']);
  },
);

test.skipIf(tool === undefined)('a sink hangs, and is taken away', { timeout: PHASE_MS }, async () => {
  const recording = record();
  stack.signal('sink', 'SIGSTOP');
  await scraped(recording, 14);
  recording.forget('sink');
  await scraped(recording, 8);
  stack.signal('sink', 'SIGCONT');
  const alerts = ['WeirProcessDown', 'WeirFlowNotHeard', 'WeirServiceGone'];
  await expectFiring('hangs', await recording.stop(), alerts);
});

test.skipIf(tool === undefined)('Kafka lets go of rows that no sink has read', { timeout: PHASE_MS }, async () => {
  await drained();
  const recording = record();
  stack.signal('sink', 'SIGSTOP');
  const end = load({ tenants: MANY, body: () => logs(2), everyMs: 100 });
  await scraped(recording, 12);
  await end();
  while ((await stack.metric('normalizer', 'weir_normalizer_lag_records')) > 0) await pause(100);
  const admin = kafkaAdmin();
  for (const { partition, end } of await admin.lag('alerts-test', 'weir.rows.v1')) {
    await admin.deleteBefore('weir.rows.v1', partition, end);
  }
  stack.signal('sink', 'SIGCONT');
  while (!((await stack.metric('sink', 'weir_sink_lost_records_total')) > 0)) await pause(100);
  await scraped(recording, 4);
  await expectFiring('lost', await recording.stop(), ['WeirRecordsLost']);
});

/** The last fault: nothing is mended after it. */
test.skipIf(tool === undefined)('Kafka loses the ends of its logs below an edge', { timeout: PHASE_MS }, async () => {
  const recording = record();
  const kafka = stack.pid('kafka');
  process.kill(kafka, 'SIGKILL');
  while (existsSync(`/proc/${kafka}/cwd`)) await pause(5);
  const cut = Array.from({ length: PARTITIONS }, (_, partition) => cutLog(dataDir, 'weir.raw.v1', partition, 1));
  expect(cut).toContain(1);
  const end = load({ tenants: MANY, body: () => logs(2), everyMs: 100 });
  while (!((await stack.metric('edge', 'weir_edge_lost_end_partitions')) > 0)) await pause(100);
  await scraped(recording, 4);
  await end();
  await expectFiring('ends', await recording.stop(), ['WeirLogLostItsEnd']);
});

/** As a whole: who reads it meanwhile reads one or the other. */
function replace(path: string, content: Buffer): void {
  writeFileSync(`${path}.new`, content);
  renameSync(`${path}.new`, path);
}

test('every alert has fired by its fault, on series that the services have', () => {
  if (tool === undefined) return;
  expect([...fired].toSorted()).toEqual(rules.map(({ alert }) => alert).toSorted());
  expect([...metrics].filter((metric) => !seen.has(metric))).toEqual([]);
});
