import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { FaultPoint } from '@weir/pipeline';
import { caseTenant, encodeExport, OtlpClient, pause, TestStack } from '@weir/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';

const PARTITIONS = 8;
/** Each of one partition: enough that all of these have some. */
const TENANTS = Array.from({ length: 40 }, (_, at) => caseTenant(at));
const SPANS = 20;

const scratch = mkdtempSync(join(tmpdir(), 'weir-several-'));
let stack: TestStack;
let client: OtlpClient;

beforeAll(async () => {
  // Batches that wait, so that every partition of a sink has something in each cut.
  const env = {
    WEIR_KAFKA_PARTITIONS: String(PARTITIONS),
    WEIR_SINK_BATCH_AGE: '3s',
  };
  stack = await TestStack.start(join(scratch, 'data'), { env, faultPoints: true, counts: { sink: 2 } });
  client = new OtlpClient(stack);
});

afterAll(async () => {
  await client.close();
  await stack.stop();
  rmSync(scratch, { recursive: true, force: true });
});

async function send(round: string): Promise<void> {
  const now = BigInt(Date.now()) * 1_000_000n;
  const id = { traceId: new Uint8Array(16).fill(7), spanId: new Uint8Array(8).fill(7) };
  const spans = Array.from({ length: SPANS }, (_, at) => ({
    ...{ ...id, name: round, traceState: `${round}-${at}` },
    ...{ startTimeUnixNano: now, endTimeUnixNano: now },
  }));
  const body = Buffer.from(encodeExport('traces', { resourceSpans: [{ scopeSpans: [{ spans }] }] }));
  const answers = await Promise.all(TENANTS.map((tenant) => client.export('traces', body, { key: stack.key(tenant) })));
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
}

async function storedOnce(round: string): Promise<void> {
  const sql = `SELECT count() AS n, uniqExact(TenantId, TraceState) AS different FROM otel_traces WHERE SpanName = '${round}'`;
  const rows = String(TENANTS.length * SPANS);
  const found = await stack.until<{ n: string; different: string }>(sql, ({ n }) => Number(n) >= Number(rows), 90_000);
  // Whatever comes twice comes soon after.
  await pause(5_000);
  expect([found, ...(await stack.query(sql))]).toEqual([
    { n: rows, different: rows },
    { n: rows, different: rows },
  ]);
}

const sum = async (metric: string) => (await stack.metric('sink', metric)) + (await stack.metric('sink-2', metric));

test('what comes in several partitions of a sink goes in together', async () => {
  const cuts = await sum('weir_sink_cut_partitions_count');
  const partitions = await sum('weir_sink_cut_partitions_sum');
  await send('together');
  await storedOnce('together');
  const each =
    ((await sum('weir_sink_cut_partitions_sum')) - partitions) / ((await sum('weir_sink_cut_partitions_count')) - cuts);
  expect(each).toBeGreaterThan(2);
});

const POINTS: readonly FaultPoint[] = ['sink.after_cut', 'sink.in_insert', 'sink.after_insert'];

test.each(POINTS)('a sink that is killed at %s leaves each row once, whoever gets its partitions', async (point) => {
  await stack.killAt('sink', point, () => send(point));
  await storedOnce(point);
  for (const tenant of TENANTS.slice(0, 5)) await stack.ingestctl('audit', '--tenant', tenant);
});
