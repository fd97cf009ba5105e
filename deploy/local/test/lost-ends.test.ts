import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stackPaths } from '@weir/local';
import { caseTenant, cutLog, encodeExport, OtlpClient, pause, TestStack } from '@weir/testkit';
import { afterAll, expect, test } from 'vitest';

const dataDir = mkdtempSync(join(tmpdir(), 'weir-lost-ends-'));
const ENV = { WEIR_KAFKA_PARTITIONS: '1' };
const TENANT = caseTenant(1);
const EXPORTS = 8;
const SPANS = 5;
let stack: TestStack | undefined;

afterAll(async () => {
  await stack?.stop();
  rmSync(dataDir, { recursive: true, force: true });
});

/** An export of spans of this name; `at` tells it from others. */
function exportOf(name: string, at: number): Buffer {
  const now = BigInt(Date.now()) * 1_000_000n;
  const id = { traceId: new Uint8Array(16).fill(7), spanId: new Uint8Array(8).fill(7) };
  const spans = Array.from({ length: SPANS }, (_, span) => ({
    ...{ ...id, name, traceState: `${at}-${span}` },
    ...{ startTimeUnixNano: now, endTimeUnixNano: now },
  }));
  return Buffer.from(encodeExport('traces', { resourceSpans: [{ scopeSpans: [{ spans }] }] }));
}

/** Sends exports, each a record of its own in both logs, and waits until they are stored. */
async function store(name: string, running: TestStack): Promise<void> {
  const client = new OtlpClient(running, { direct: true });
  for (let at = 0; at < EXPORTS; at++) {
    expect((await client.export('traces', exportOf(name, at), { key: running.key(TENANT) })).status).toBe(200);
    await running.until<{ n: string }>(countOf(name), ({ n }) => Number(n) >= (at + 1) * SPANS);
  }
  await client.close();
}

const countOf = (name: string) =>
  `SELECT count() AS n, uniqExact(TraceState) AS distinct FROM otel_traces WHERE SpanName = '${name}'`;

/** Everything ends at once, and leaves its groups no more than the machine leaves them. */
async function losePower(running: TestStack): Promise<void> {
  const { pid } = JSON.parse(readFileSync(stackPaths(dataDir).pid, 'utf8')) as { pid: number };
  const { services, processes } = running.local;
  const pids = [pid, ...Object.values(processes), ...Object.values(services).map((service) => service.pid)];
  for (const each of pids) process.kill(each, 'SIGKILL');
  while (pids.some((each) => existsSync(`/proc/${each}/cwd`))) await pause(100);
}

test('what is accepted after Kafka has lost the ends of its logs is stored once, and a start says what was lost', async () => {
  stack = await TestStack.start(dataDir, { envoy: false, env: ENV });
  await store('before', stack);
  await losePower(stack);
  for (const topic of ['weir.raw.v1', 'weir.rows.v1']) expect(cutLog(dataDir, topic, 0, EXPORTS / 2)).toBe(EXPORTS / 2);

  stack = await TestStack.start(dataDir, { envoy: false, env: ENV });
  for (const topic of ['weir.raw.v1', 'weir.rows.v1']) {
    expect(readFileSync(stackPaths(dataDir).log, 'utf8')).toMatch(
      new RegExp(`${topic}/0 ended at .* records that it had acknowledged`),
    );
  }
  await store('after', stack);
  for (const name of ['before', 'after']) {
    expect(await stack.query(countOf(name))).toEqual([
      { n: String(EXPORTS * SPANS), distinct: String(EXPORTS * SPANS) },
    ]);
  }
  expect(await stack.ingestctl('topics', 'status')).toContain('weir.rows.v1');
  const letters = await stack.ingestctl('dlq', 'list', '--json');
  expect(JSON.parse(letters)).toEqual([]);
}, 240_000);

test('an edge below which Kafka loses the end of a log takes nothing that would be passed over', async () => {
  const running = stack!;
  await store('still there', running);
  const kafka = running.pid('kafka');
  process.kill(kafka, 'SIGKILL');
  while (existsSync(`/proc/${kafka}/cwd`)) await pause(5);
  expect(cutLog(dataDir, 'weir.raw.v1', 0, 1)).toBe(1);

  const client = new OtlpClient(running, { direct: true });
  const send = async (at: number) =>
    (await client.export('traces', exportOf('not taken', at), { key: running.key(TENANT) })).status;
  for (let at = 0; at < EXPORTS || (await running.metric('edge', 'weir_edge_lost_end_partitions')) === 0; at++) {
    expect(await send(at)).toBe(503);
  }
  expect(await running.metric('edge', 'weir_edge_lost_end_partitions')).toBe(1);
  expect(await running.ready('edge')).toBe(false);
  expect(running.log('edge')).toMatch(/weir\.raw\.v1\/0 ends at \d+, but reached \d+: acknowledged records are lost/);
  expect(await send(0)).toBe(503);
  await client.close();

  await running.stop();
  stack = await TestStack.start(dataDir, { envoy: false, env: ENV });
  await store('again', stack);
  expect(await stack.query(countOf('again'))).toEqual([
    { n: String(EXPORTS * SPANS), distinct: String(EXPORTS * SPANS) },
  ]);
}, 240_000);
