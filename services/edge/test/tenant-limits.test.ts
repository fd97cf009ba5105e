import { writeFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { createKafkaLog } from '@weir/kafka';
import { type SignalKind, systemClock } from '@weir/pipeline';
import { CONTROL_TOPICS, decodeDlqMeta } from '@weir/records';
import {
  decodeExport,
  encodeExport,
  encodeJsonExport,
  type OracleRequestInit,
  OtlpClient,
  partialSuccess,
  pause,
} from '@weir/testkit';
import { sharedStack } from '@weir/testkit/vitest';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const stack = sharedStack();
const client = new OtlpClient(stack, { direct: true });
const NEVER = new AbortController().signal;
const QUIET = { warn: () => undefined, debug: () => undefined };
const log = createKafkaLog({ brokers: stack.local.kafka.brokers, clientId: 'limits-test' }, QUIET, systemClock);
const YESTERDAY = new Date(Date.now() - 86_400_000).toISOString().slice(0, 10);

afterAll(() => Promise.all([client.close(), log.close()]));

/** Makes a tenant, or gives it other limits. */
async function apply(name: string, entry: object, limits: object): Promise<void> {
  const file = `${stack.dataDir}/${name}.yaml`;
  // JSON is YAML.
  writeFileSync(file, JSON.stringify({ version: 1, tenants: { [name]: { keys: [entry], limits } } }));
  await stack.ingestctl('tenants', 'apply', '-f', file);
}

async function becomes(what: () => Promise<boolean>): Promise<void> {
  const deadlineMs = Date.now() + 5_000;
  while (!(await what())) {
    if (Date.now() > deadlineMs) throw new Error('not in time');
    await pause(50);
  }
}

async function createTenant(name: string, limits: object) {
  const { key, entry } = JSON.parse(await stack.ingestctl('--json', 'keys', 'create'));
  await apply(name, entry, limits);
  await becomes(async () => (await client.export('traces', Buffer.alloc(0), { key })).status === 200);
  return { key: key as string, entry: entry as object };
}

const text = (key: string, value = 'v') => ({ key, value: { value: { case: 'stringValue' as const, value } } });
const many = (count: number) => Array.from({ length: count }, (_, i) => text(`k${i}`));
const nowNs = () => BigInt(Date.now()) * 1_000_000n;
const HOUR = 3_600_000_000_000n;

const LIMITS = {
  attributes: { perItem: 4, keyBytes: 10, valueBytes: 20 },
  timeWindow: { past: '1h', future: '10m' },
  activeSeries: 3,
};

/** Spans: two that are good, one with a bad id, and one over each limit; then a resource that is over one. */
function traces(): Buffer {
  const span = { traceId: new Uint8Array(16).fill(7), spanId: new Uint8Array(8).fill(9), startTimeUnixNano: nowNs() };
  const spans = [
    { ...span, attributes: many(4) },
    { ...span, attributes: many(3), events: [{ timeUnixNano: 1n, attributes: many(2) }] },
    { ...span, attributes: [text('k'.repeat(11))] },
    { ...span, attributes: [text('k'.repeat(10), 'v'.repeat(21))] },
    { ...span, spanId: new Uint8Array(8) },
    { ...span, startTimeUnixNano: nowNs() - 2n * HOUR },
    { ...span, startTimeUnixNano: nowNs() + HOUR },
    { ...span, attributes: [text('k'.repeat(10), 'v'.repeat(20))] },
  ];
  const bad = { attributes: [text('resource.key.too.long')] };
  return encoded('traces', {
    resourceSpans: [{ scopeSpans: [{ spans }] }, { resource: bad, scopeSpans: [{ spans: [span, span] }] }],
  });
}

/** Points of five series, each twice. */
function metrics(): Buffer {
  const dataPoints = Array.from({ length: 10 }, (_, i) => ({
    timeUnixNano: nowNs(),
    attributes: [text('n', `${i % 5}`)],
  }));
  const data = { case: 'gauge' as const, value: { dataPoints } };
  return encoded('metrics', { resourceMetrics: [{ scopeMetrics: [{ metrics: [{ name: 'm', data }] }] }] });
}

function encoded<S extends SignalKind>(signal: S, init: OracleRequestInit<S>): Buffer {
  return Buffer.from(encodeExport(signal, init));
}

type Send = (signal: 'traces' | 'metrics', body: Buffer, key: string) => Promise<ReturnType<typeof partialSuccess>>;

const TRANSPORTS: readonly (readonly [string, Send])[] = [
  [
    'HTTP/protobuf',
    async (signal, body, key) => partialSuccess(signal, (await client.export(signal, body, { key })).body),
  ],
  [
    'HTTP/JSON',
    async (signal, body, key) => {
      const answer = await client.export(signal, encodeJsonExport(signal, body), { key });
      const { partialSuccess: said } = JSON.parse(answer.body.toString());
      return { rejected: Number(said.rejectedSpans ?? said.rejectedDataPoints), message: said.errorMessage };
    },
  ],
  [
    'gRPC',
    async (signal, body, key) => {
      const answer = await client.grpc(signal, body, { key });
      if (!answer.ok) throw answer.error;
      return partialSuccess(signal, answer.body);
    },
  ],
];

/** Items in the DLQ of a tenant, by reason, as the letters' own bytes have them. */
async function letters(tenant: string): Promise<Record<string, number>> {
  const found: Record<string, number> = {};
  const { start, end } = await log.bounds(CONTROL_TOPICS.dlq, 0, NEVER);
  for (let offset = start; offset < end; ) {
    const page = await log.read(CONTROL_TOPICS.dlq, 0, offset, { maxBytes: 4 * 1024 ** 2, maxWaitMs: 500 }, NEVER);
    for (const { meta, value } of page.records) {
      const decoded = decodeDlqMeta(meta);
      if (!decoded.ok || decoded.value.tenant !== tenant) continue;
      const { reason, signal } = decoded.value;
      const items =
        signal === 'traces'
          ? decodeExport('traces', value!).resourceSpans.flatMap((one) => one.scopeSpans.flatMap(({ spans }) => spans))
          : decodeExport('metrics', value!).resourceMetrics.flatMap((one) =>
              one.scopeMetrics.flatMap((scope) =>
                scope.metrics.flatMap(({ data }) => (data.case === 'gauge' ? data.value.dataPoints : [])),
              ),
            );
      found[reason] = (found[reason] ?? 0) + items.length;
    }
    offset = page.nextOffset;
  }
  return found;
}

describe('limits of items', () => {
  const name = 'limits-items';
  let tenant: { key: string; entry: object };

  beforeAll(async () => {
    tenant = await createTenant(name, LIMITS);
  });

  test.each(TRANSPORTS)('over %s the answer counts what is over each of them', async (_name, send) => {
    const spans = await send('traces', traces(), tenant.key);
    expect(spans.rejected).toBe(8);
    expect(spans.message).toMatch(/^8 items were rejected and are not stored: 1 invalid_span_id \(.*\), /);
    for (const part of [
      '1 too_many_attributes (there are more than 4 attributes)',
      "3 key_too_long (an attribute's key is longer than 10 bytes)",
      "1 value_too_long (an attribute's value is longer than 20 bytes)",
      '1 time_too_old (the time is more than 1h ago)',
      '1 time_in_future (the time is more than 10m ahead)',
    ]) {
      expect(spans.message).toContain(part);
    }
    const points = await send('metrics', metrics(), tenant.key);
    expect(points.rejected).toBe(4);
    expect(points.message).toContain('4 too_many_series (');
  });

  test('what is within them is stored, the rest is in the DLQ by its reason, and the books balance', async () => {
    const count = (table: string, wanted: number) =>
      stack.until<{ n: string }>(
        `SELECT count() AS n FROM ${table} WHERE TenantId = '${name}'`,
        ({ n }) => Number(n) === wanted,
      );
    await count('otel_traces', 3 * 2);
    await count('otel_metrics_gauge', 3 * 6);
    expect(await letters(name)).toEqual({
      invalid_span_id: 3,
      too_many_attributes: 3,
      key_too_long: 9,
      value_too_long: 3,
      time_too_old: 3,
      time_in_future: 3,
      too_many_series: 12,
    });
    const lines = JSON.parse(await stack.ingestctl('--json', 'audit', '--tenant', name, '--from', YESTERDAY));
    const byItem = Object.fromEntries(
      (lines as { items: string; traces: number; metrics: number }[]).map((line) => [line.items, line]),
    );
    expect(byItem.accepted).toMatchObject({ traces: 30, metrics: 30 });
    expect(byItem.stored).toMatchObject({ traces: 6, metrics: 18 });
    expect(byItem['dead-lettered: key_too_long']).toMatchObject({ traces: 9 });
    expect(byItem['dead-lettered: too_many_series']).toMatchObject({ metrics: 12 });
    expect(await stack.metric('edge', 'weir_edge_active_series', { tenant: name })).toBe(3);
  });

  test('hold anew as soon as they are changed, and are shown', async () => {
    await apply(name, tenant.entry, { ...LIMITS, activeSeries: 5, attributes: { perItem: 5, keyBytes: 30 } });
    const [, send] = TRANSPORTS[0]!;
    await becomes(async () => (await send('traces', traces(), tenant.key)).rejected === 3);
    const answer = await client.export('metrics', metrics(), { key: tenant.key });
    expect([answer.status, answer.body.length]).toEqual([200, 0]);
    const shown = JSON.parse(await stack.ingestctl('--json', 'tenants', 'show', name, '--effective'));
    expect(shown.limits).toMatchObject({
      attributes: { perItem: 5, keyBytes: 30, valueBytes: 262_144 },
      timeWindow: { past: '1h', future: '10m' },
      activeSeries: 5,
      bodyBytes: 'none',
      requestBytes: 'none',
    });
  });
});

test('a large export of which items are rejected is split, and the same items are dead-lettered', async () => {
  const name = 'limits-split';
  const { key } = await createTenant(name, { attributes: { keyBytes: 10 }, items: { perSecond: 100_000 } });
  const spans = Array.from({ length: 9_000 }, (_, i) => ({
    traceId: new Uint8Array(16).fill(3),
    spanId: new Uint8Array(new BigUint64Array([BigInt(i + 1)]).buffer),
    startTimeUnixNano: nowNs(),
    traceState: 'x'.repeat(1_000),
    attributes: i % 3 === 0 ? [text('eleven.long')] : [],
  }));
  const body = encoded('traces', { resourceSpans: [{ scopeSpans: [{ spans }] }] });
  const answer = await client.export('traces', body, { key, gzip: true });
  expect([answer.status, partialSuccess('traces', answer.body).rejected]).toEqual([200, 3_000]);
  const sql = `SELECT count() AS n, uniqExact(SpanId) AS u, countIf(mapContains(SpanAttributes, 'eleven.long')) AS bad
    FROM otel_traces WHERE TenantId = '${name}'`;
  const row = await stack.until<{ n: string }>(sql, ({ n }) => Number(n) >= 6_000);
  expect(row).toEqual({ n: '6000', u: '6000', bad: '0' });
  expect(await letters(name)).toEqual({ key_too_long: 3_000 });
});

describe('the size of a request', () => {
  let key: string;
  const within = (bytes: number) => {
    const span = { traceId: new Uint8Array(16).fill(1), spanId: new Uint8Array(8).fill(1), startTimeUnixNano: nowNs() };
    return encoded('traces', {
      resourceSpans: [{ scopeSpans: [{ spans: [{ ...span, name: 'n'.repeat(bytes - 200) }] }] }],
    });
  };

  beforeAll(async () => {
    ({ key } = await createTenant('limits-size', { bodyBytes: 10_000, requestBytes: 100_000 }));
  });

  test('as it comes and decompressed has a limit of the tenant: 413 over HTTP', async () => {
    expect((await client.export('traces', within(10_000), { key })).status).toBe(200);
    expect((await client.export('traces', within(100_000), { key, gzip: true })).status).toBe(200);
    const large = await client.export('traces', within(11_000), { key });
    expect([large.status, large.body.toString()]).toEqual([413, expect.stringContaining('larger than 10000 bytes')]);
    const inflated = await client.export('traces', within(101_000), { key, gzip: true });
    expect([inflated.status, inflated.body.toString()]).toEqual([413, expect.stringContaining('larger than 100000')]);
    expect(gzipSync(within(101_000)).length).toBeLessThan(10_000);
    expect((await client.export('traces', within(101_000), { key: stack.key('demo') })).status).toBe(200);
  });

  test('over gRPC: RESOURCE_EXHAUSTED without RetryInfo', async () => {
    expect((await client.grpc('traces', within(10_000), { key })).ok).toBe(true);
    for (const body of [within(11_000), Buffer.alloc(5 * 1024 ** 2)]) {
      const answer = await client.grpc('traces', body, { key });
      expect(answer.ok ? 0 : answer.error.code).toBe(8);
      if (!answer.ok) expect(answer.error.metadata.get('google.rpc.retryinfo-bin')).toEqual([]);
    }
  });
});
