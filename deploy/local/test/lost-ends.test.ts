import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stackPaths } from '@weir/local';
import { caseTenant, encodeExport, OtlpClient, pause, TestStack } from '@weir/testkit';
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

/** Sends exports, each a record of its own in both logs, and waits until they are stored. */
async function store(name: string, running: TestStack): Promise<void> {
  const client = new OtlpClient(running, { direct: true });
  for (let at = 0; at < EXPORTS; at++) {
    const now = BigInt(Date.now()) * 1_000_000n;
    const id = { traceId: new Uint8Array(16).fill(7), spanId: new Uint8Array(8).fill(7) };
    const spans = Array.from({ length: SPANS }, (_, span) => ({
      ...{ ...id, name, traceState: `${at}-${span}` },
      ...{ startTimeUnixNano: now, endTimeUnixNano: now },
    }));
    const body = Buffer.from(encodeExport('traces', { resourceSpans: [{ scopeSpans: [{ spans }] }] }));
    expect((await client.export('traces', body, { key: running.key(TENANT) })).status).toBe(200);
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

/** What a power failure does to a broker that has not written everything to its disk: a log ends before its last batches. */
function loseEnd(topic: string): void {
  const dir = join(stackPaths(dataDir).kafkaData('kafka'), `${topic}-0`);
  const file = join(
    dir,
    readdirSync(dir)
      .filter((name) => name.endsWith('.log'))
      .toSorted()
      .at(-1)!,
  );
  const bytes = readFileSync(file);
  const starts: number[] = [];
  // A batch: eight bytes of offset, four of the length of the rest.
  for (let at = 0; at < bytes.length; at += 12 + bytes.readInt32BE(at + 8)) starts.push(at);
  expect(starts.length).toBeGreaterThan(EXPORTS);
  truncateSync(file, starts.at(-EXPORTS / 2)!);
}

test('what is accepted after Kafka has lost the ends of its logs is stored once, and a start says what was lost', async () => {
  stack = await TestStack.start(dataDir, { envoy: false, env: ENV });
  await store('before', stack);
  await losePower(stack);
  for (const topic of ['weir.raw.v1', 'weir.rows.v1']) loseEnd(topic);

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
