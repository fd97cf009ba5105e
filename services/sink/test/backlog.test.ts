import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Journal, runLoad, verify } from '@weir/bench-load';
import { encodeExport, OtlpClient, pause, TestStack } from '@weir/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';

let stack: TestStack;
let client: OtlpClient;
const dataDir = mkdtempSync(join(tmpdir(), 'weir-backlog-'));

beforeAll(async () => {
  stack = await TestStack.start(dataDir, { env: { WEIR_SINK_BACKLOG_BYTES_MAX: '256KiB' } });
  client = new OtlpClient(stack);
});

afterAll(async () => {
  await client.close();
  await stack.stop();
  rmSync(dataDir, { recursive: true, force: true });
});

function span(): Buffer {
  const start = BigInt(Date.now()) * 1_000_000n;
  const made = { traceId: new Uint8Array(16).fill(5), spanId: new Uint8Array(8).fill(5), startTimeUnixNano: start };
  return Buffer.from(encodeExport('traces', { resourceSpans: [{ scopeSpans: [{ spans: [made] }] }] }));
}

test('while ClickHouse hangs the pipe fills, says 429 with Retry-After, and recovers by itself with nothing lost', async () => {
  const journal = new Journal();
  stack.signal('clickhouse', 'SIGSTOP');
  const { run, totals } = await runLoad(
    {
      target: { ...stack.local.otlp, ca: stack.ca },
      tenants: [{ name: 'demo', key: stack.key('demo'), weight: 1 }],
      producers: 50,
      rate: 100,
      seconds: 8,
      itemsPerExport: 100,
      transports: ['http'],
      signals: ['traces'],
      errors: 0,
      gzip: false,
      connections: 4,
      outstandingMax: 500,
    },
    { onFate: (fate) => journal.add(fate) },
  );
  expect([...totals.reasons.keys()]).toEqual(['HTTP 429']);
  expect(totals.acceptedItems).toBeGreaterThan(0);
  const refused = await client.export('traces', span(), { key: stack.key('demo') });
  expect(refused.status).toBe(429);
  expect(Number(refused.headers['retry-after'])).toBeGreaterThanOrEqual(1);
  const overGrpc = await client.grpc('traces', span(), { key: stack.key('demo') });
  expect(overGrpc.ok ? 0 : overGrpc.error.code).toBe(8);
  if (!overGrpc.ok) expect(overGrpc.error.metadata.get('google.rpc.retryinfo-bin')).toHaveLength(1);

  stack.signal('clickhouse', 'SIGCONT');
  const deadline = Date.now() + 30_000;
  while ((await client.export('traces', span(), { key: stack.key('demo') })).status !== 200) {
    if (Date.now() > deadline) throw new Error('still refused');
    await pause(200);
  }
  expect(await verify(stack.local.clickhouse, run, journal, 30_000)).toMatchObject({ lost: 0, doubled: 0, alien: 0 });
});
