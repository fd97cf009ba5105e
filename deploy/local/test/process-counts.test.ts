import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { encodeExport, OtlpClient, TestStack } from '@weir/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';

const EXPORTS = 40;
const dataDir = mkdtempSync(join(tmpdir(), 'weir-counts-'));
let stack: TestStack;
let client: OtlpClient;

beforeAll(async () => {
  stack = await TestStack.start(dataDir, { counts: { edge: 2, normalizer: 2, sink: 2 } });
  client = new OtlpClient(stack);
});

afterAll(async () => {
  await client.close();
  await stack.stop();
  rmSync(dataDir, { recursive: true, force: true });
});

function span(number: number): Buffer {
  const made = {
    traceId: new Uint8Array(16).fill(9),
    spanId: new Uint8Array(8).fill(number + 1),
    name: 'shared',
    startTimeUnixNano: BigInt(Date.now()) * 1_000_000n,
  };
  return Buffer.from(encodeExport('traces', { resourceSpans: [{ scopeSpans: [{ spans: [made] }] }] }));
}

const each = (service: string, metric: string) =>
  Promise.all([service, `${service}-2`].map((name) => stack.metric(name, metric)));

test('Envoy gives each of two edges its part, over HTTP and gRPC, and every span is stored once', async () => {
  const key = stack.key('demo');
  for (let number = 0; number < EXPORTS; number++) {
    const sent =
      number % 2 === 0
        ? (await client.export('traces', span(number), { key })).status === 200
        : (await client.grpc('traces', span(number), { key })).ok;
    expect(sent).toBe(true);
  }
  const count = "SELECT count() AS n, uniqExact(SpanId) AS ids FROM otel_traces WHERE SpanName = 'shared'";
  await stack.until<{ n: string }>(count, ({ n }) => Number(n) >= EXPORTS);
  expect(await stack.query(count)).toEqual([{ n: String(EXPORTS), ids: String(EXPORTS) }]);
  const [first = 0, second = 0] = await each('edge', 'weir_edge_accepted_items_total');
  expect(first + second).toBe(EXPORTS);
  for (const part of [first, second]) expect(part).toBeGreaterThanOrEqual(EXPORTS / 4);
});

test('two normalizers share the partitions, and so do two sinks', async () => {
  for (const service of ['normalizer', 'sink']) {
    expect(await each(service, `weir_${service}_partitions`)).toEqual([2, 2]);
  }
});
