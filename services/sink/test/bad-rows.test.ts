import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { zstdDecompressSync } from 'node:zlib';
import { createKafkaLog, type KafkaLog } from '@weir/kafka';
import { BlockRows } from '@weir/native';
import { type FaultPoint, systemClock } from '@weir/pipeline';
import {
  CONTROL_TOPICS,
  type DlqMeta,
  decodeDlqMeta,
  decodeRowsMeta,
  dlqKey,
  TABLE_COLUMNS,
  trackTopics,
} from '@weir/records';
import { caseTenant, encodeExport, OtlpClient, pause, TestStack } from '@weir/testkit';
import { Kafka, logLevel } from 'kafkajs';
import { afterAll, beforeAll, expect, test } from 'vitest';

const NEVER = new AbortController().signal;
const QUIET = { warn: () => undefined, debug: () => undefined };
const [ONE, OTHER] = [caseTenant(1), caseTenant(2)];
const BAD = 'what no table takes';

const scratch = mkdtempSync(join(tmpdir(), 'weir-bad-rows-'));
let stack: TestStack;
let client: OtlpClient;
let log: KafkaLog;

beforeAll(async () => {
  stack = await TestStack.start(join(scratch, 'data'), { faultPoints: true });
  client = new OtlpClient(stack);
  log = createKafkaLog({ brokers: stack.local.kafka.brokers, clientId: 'bad-rows-test' }, QUIET, systemClock);
  await stack.query(`ALTER TABLE otel_traces ADD CONSTRAINT no_bad CHECK SpanName != '${BAD}'`);
});

afterAll(async () => {
  await Promise.all([client.close(), log.close()]);
  await stack.stop();
  rmSync(scratch, { recursive: true, force: true });
});

/** Sends spans of a name, of which those at some places have the bad one. */
async function send(tenant: string, name: string, count: number, badAt: readonly number[] = []): Promise<void> {
  const now = BigInt(Date.now()) * 1_000_000n;
  const spans = Array.from({ length: count }, (_, at) => ({
    traceId: new Uint8Array(16).fill(7),
    spanId: new Uint8Array(8).fill(7),
    name: badAt.includes(at) ? BAD : name,
    traceState: `${name}=${at}`,
    startTimeUnixNano: now,
    endTimeUnixNano: now,
  }));
  const body = Buffer.from(encodeExport('traces', { resourceSpans: [{ scopeSpans: [{ spans }] }] }));
  expect((await client.export('traces', body, { key: stack.key(tenant) })).status).toBe(200);
}

interface Letter {
  readonly meta: DlqMeta;
  readonly value: Buffer;
}

/** All letters of a tenant; copies with the same key are one. */
async function letters(tenant: string): Promise<Letter[]> {
  const found = new Map<string, Letter>();
  const { start, end } = await log.bounds(CONTROL_TOPICS.dlq, 0, NEVER);
  for (let offset = start; offset < end; ) {
    const page = await log.read(CONTROL_TOPICS.dlq, 0, offset, { maxBytes: 4 * 1024 ** 2, maxWaitMs: 500 }, NEVER);
    for (const { meta, value } of page.records) {
      const decoded = decodeDlqMeta(meta);
      if (!decoded.ok) throw new Error(decoded.message);
      if (decoded.value.tenant === tenant) found.set(dlqKey(decoded.value), { meta: decoded.value, value: value! });
    }
    offset = page.nextOffset;
  }
  return [...found.values()];
}

function rowOf({ meta, value }: Letter): { readonly name: string; readonly tenant: string; readonly count: number } {
  const rows = BlockRows.read(zstdDecompressSync(value), TABLE_COLUMNS[meta.table!])!;
  return { name: rows.text('SpanName', 0), tenant: rows.text('TenantId', 0), count: rows.count };
}

const countOf = (tenant: string) => `SELECT count() AS n FROM otel_traces WHERE TenantId = '${tenant}'`;

async function stored(tenant: string, count: number): Promise<void> {
  await stack.until<{ n: string }>(countOf(tenant), ({ n }) => Number(n) >= count, 60_000);
}

/** Balanced, or it throws: the books are right once the correction is in. */
async function balanced(tenant: string): Promise<void> {
  for (let attempt = 0; ; attempt++) {
    try {
      await stack.ingestctl('audit', '--tenant', tenant);
      return;
    } catch (error) {
      if (attempt === 5) throw error;
      await pause(1_000);
    }
  }
}

test('one bad row of 1,000 goes to the DLQ with its tenant, place and bytes, the others are stored, and the books agree', async () => {
  await Promise.all([send(ONE, 'first', 600, [437]), send(OTHER, 'second', 400)]);
  await stored(ONE, 599);
  await stored(OTHER, 400);
  await Promise.all([balanced(ONE), balanced(OTHER)]);
  const [letter, ...more] = await letters(ONE);
  expect([...more, ...(await letters(OTHER)), ...(await letters(''))]).toEqual([]);
  expect(letter!.meta).toMatchObject({
    tenant: ONE,
    signal: 'traces',
    reason: 'rows_rejected',
    items: 1,
    table: 'otel_traces',
    sourceTopic: trackTopics('v1').rows,
  });
  expect(letter!.meta.message).toContain('no_bad');
  expect(rowOf(letter!)).toEqual({ name: BAD, tenant: ONE, count: 1 });
  const { sourceTopic, sourcePartition, sourceOffset, sourceIndex } = letter!.meta;
  const options = { maxBytes: 12 * 1024 ** 2, maxWaitMs: 500 };
  const { records } = await log.read(sourceTopic, sourcePartition, sourceOffset, options, NEVER);
  const source = decodeRowsMeta(records[0]!.meta, records[0]!.value!.length);
  if (!source.ok || source.value.kind !== 'rows') throw new Error('not a record of rows');
  const [section] = source.value.sections;
  const block = zstdDecompressSync(records[0]!.value!.subarray(section!.start, section!.end));
  expect(BlockRows.read(block, TABLE_COLUMNS.otel_traces)!.text('SpanName', sourceIndex)).toBe(BAD);
  // Its bytes can be inserted as they are once the reason is gone.
  const { url, database } = stack.local.clickhouse;
  const insert = async () => {
    const query = encodeURIComponent('INSERT INTO otel_traces FORMAT Native');
    const headers = { 'content-encoding': 'zstd' };
    const target = `${url}/?database=${database}&query=${query}`;
    const answer = await fetch(target, { method: 'POST', headers, body: new Uint8Array(letter!.value) });
    await answer.text();
    return answer.status;
  };
  expect(await insert()).not.toBe(200);
  await stack.query('ALTER TABLE otel_traces DROP CONSTRAINT no_bad');
  expect(await insert()).toBe(200);
  expect(await stack.query(`${countOf(ONE)} AND SpanName = '${BAD}'`)).toEqual([{ n: '1' }]);
  await stack.query(`ALTER TABLE otel_traces ADD CONSTRAINT no_bad CHECK SpanName != '${BAD}'`);
});

const POINTS: readonly FaultPoint[] = ['sink.after_refusal', 'sink.after_letter', 'sink.after_correction'];

test.each(POINTS)('a sink that is killed at %s decides each row once, and the books agree', async (point) => {
  const tenant = caseTenant(10 + POINTS.indexOf(point));
  await stack.killAt('sink', point, () =>
    Promise.all([send(tenant, 'third', 300, [0, 150, 299]), send(OTHER, 'fourth', 10)]),
  );
  await stored(tenant, 297);
  await balanced(tenant);
  const dead = await letters(tenant);
  expect(dead.map(rowOf)).toEqual(Array.from({ length: 3 }, () => ({ name: BAD, tenant, count: 1 })));
  const [row] = await stack.query<{ n: string; distinct: string }>(
    `SELECT count() AS n, uniqExact(TraceState) AS distinct FROM otel_traces WHERE TenantId = '${tenant}'`,
  );
  expect(row).toEqual({ n: '297', distinct: '297' });
});

test('rows on which a view throws are stored, and only that view has none of them', async () => {
  const tenant = caseTenant(21);
  await stack.query('CREATE TABLE ages (TenantId String, Age UInt8) ENGINE = MergeTree ORDER BY TenantId');
  await stack.query(
    'CREATE MATERIALIZED VIEW ages_mv TO ages AS SELECT TenantId, toUInt8(SpanName) AS Age FROM otel_traces',
  );
  await send(tenant, '44', 10);
  await stored(tenant, 10);
  await send(tenant, 'no number', 30);
  await stored(tenant, 40);
  await send(tenant, '45', 5, [2]);
  await stored(tenant, 44);
  await balanced(tenant);
  expect(await stack.query(countOf(tenant))).toEqual([{ n: '44' }]);
  expect(await stack.query(`SELECT count() AS n FROM ages WHERE TenantId = '${tenant}'`)).toEqual([{ n: '14' }]);
  expect((await letters(tenant)).map(rowOf)).toEqual([{ name: BAD, tenant, count: 1 }]);
  expect(await stack.metric('sink', 'weir_sink_views_passed_over_total')).toBeGreaterThan(0);
  await stack.query('DROP TABLE ages_mv');
});

test('letters that the caps of weir.dlq let go are counted', async () => {
  const tenant = caseTenant(22);
  await send(tenant, 'fifth', 9, [0, 2, 4, 6]);
  await stored(tenant, 5);
  await balanced(tenant);
  const { start, end } = await log.bounds(CONTROL_TOPICS.dlq, 0, NEVER);
  expect(end - start).toBeGreaterThan(3);
  const kafka = new Kafka({ brokers: [...stack.local.kafka.brokers], logLevel: logLevel.NOTHING });
  const admin = kafka.admin();
  await admin.connect();
  const partitions = [{ partition: 0, offset: String(start + 3) }];
  // Without it the client knows nothing of the topic.
  await admin.fetchTopicOffsets(CONTROL_TOPICS.dlq);
  await admin.deleteTopicRecords({ topic: CONTROL_TOPICS.dlq, partitions });
  await admin.disconnect();
  const evicted = () => stack.metric('sink', 'weir_sink_dlq_evicted_records_total');
  for (let waitedMs = 0; (await evicted()) < start + 3 && waitedMs < 40_000; waitedMs += 500) await pause(500);
  expect(await evicted()).toBe(start + 3);
  expect(await stack.metric('sink', 'weir_sink_dlq_records')).toBe(end - start - 3);
});
