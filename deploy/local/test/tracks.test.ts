import { encodeExport, OtlpClient } from '@weir/testkit';
import { sharedStack } from '@weir/testkit/vitest';
import { afterAll, expect, test } from 'vitest';

const stack = sharedStack();
const client = new OtlpClient(stack);

afterAll(() => client.close());

function span(name: string): Buffer {
  const start = BigInt(Date.now()) * 1_000_000n;
  const made = {
    traceId: new Uint8Array(16).fill(7),
    spanId: new Uint8Array(8).fill(7),
    name,
    startTimeUnixNano: start,
  };
  return Buffer.from(encodeExport('traces', { resourceSpans: [{ scopeSpans: [{ spans: [made] }] }] }));
}

/** Exports that the normalizer of a track has read: edges write notes, too, when they like. */
function exportsOf(track: string): Promise<number> {
  const name = track === 'v1' ? 'normalizer' : `normalizer-${track}`;
  return stack.metric(name, 'weir_normalizer_received_records_total', { signal: 'traces' });
}

const WAYS = [
  { version: 'v2', track: 'v2', other: 'v1' },
  { version: 'v1', track: 'v1', other: 'v2' },
  { version: undefined, track: 'v1', other: 'v2' },
  { version: 'v2,v3', track: 'v1', other: 'v2' },
  { version: 'V2', track: 'v1', other: 'v2' },
];

for (const transport of ['http', 'grpc'] as const) {
  test.each(WAYS)(
    `over ${transport}, x-ingest-version $version lands on the topics of $track and no other`,
    async (way) => {
      const tenant = stack.freshTenant();
      const name = `${transport}-${way.version}`;
      const headers: Record<string, string> = way.version === undefined ? {} : { 'x-ingest-version': way.version };
      const before = [await exportsOf(way.track), await exportsOf(way.other)];
      const options = { key: stack.key(tenant), headers };
      if (transport === 'grpc') expect((await client.grpc('traces', span(name), options)).ok).toBe(true);
      else expect((await client.export('traces', span(name), options)).status).toBe(200);
      const count = `SELECT count() AS n FROM otel_traces WHERE TenantId = '${tenant}' AND SpanName = '${name}'`;
      await stack.until<{ n: string }>(count, ({ n }) => Number(n) === 1);
      expect([await exportsOf(way.track), await exportsOf(way.other)]).toEqual([before[0]! + 1, before[1]]);
    },
  );
}

test('internal headers that a client sends change nothing', async () => {
  const tenant = stack.freshTenant();
  const other = stack.freshTenant();
  const headers = { 'x-weir-tenant': other, 'x-tenant-id': other, 'x-scope-orgid': other };
  expect((await client.export('traces', span('mine'), { key: stack.key(tenant), headers })).status).toBe(200);
  const sql = `SELECT TenantId AS tenant FROM otel_traces WHERE SpanName = 'mine'`;
  expect(await stack.until<{ tenant: string }>(sql, () => true)).toEqual({ tenant });
});
