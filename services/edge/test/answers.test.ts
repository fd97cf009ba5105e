import { readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { encodeExport, OtlpClient, pause } from '@weir/testkit';
import { sharedStack } from '@weir/testkit/vitest';
import { afterAll, describe, expect, test } from 'vitest';

const stack = sharedStack();
const client = new OtlpClient(stack, { direct: true });
const envoy = new OtlpClient(stack);

afterAll(() => Promise.all([client.close(), envoy.close()]));

function spans(count: number, name = 'answers'): Buffer {
  const start = BigInt(Date.now()) * 1_000_000n;
  const made = Array.from({ length: count }, (_, i) => ({
    traceId: new Uint8Array(16).fill(9),
    spanId: new Uint8Array(8).fill(i + 1),
    name,
    startTimeUnixNano: start,
  }));
  return Buffer.from(encodeExport('traces', { resourceSpans: [{ scopeSpans: [{ spans: made }] }] }));
}

const PROTOBUF = { 'content-type': 'application/x-protobuf' };
const JSON_TYPE = { 'content-type': 'application/json' };
const key = () => ({ authorization: `Bearer ${stack.key('demo')}` });

/** Code and message of a google.rpc.Status as JSON. */
function statusOf(body: Buffer): { code: number; message: string; details?: Record<string, unknown>[] } {
  return JSON.parse(body.toString());
}

describe('over HTTP', () => {
  const WRONG = [
    ['no key', {}, 401, 16],
    ['a key of another form', { authorization: 'Basic YTpi' }, 401, 16],
    ['an unknown key', { authorization: `Bearer wk_00000000_${'A'.repeat(43)}` }, 401, 16],
    ['two different keys', { authorization: `Bearer wk_00000000_${'A'.repeat(43)}`, 'x-api-key': 'wk_b' }, 401, 16],
  ] as const;

  test.each(WRONG)(
    '%s is answered 401 with a Status in the form of the request',
    async (_name, headers, status, code) => {
      const answer = await client.http('/v1/traces', '{}', { ...JSON_TYPE, ...headers });
      expect([answer.status, answer.headers['content-type'], statusOf(answer.body).code]).toEqual([
        status,
        'application/json',
        code,
      ]);
    },
  );

  const REQUESTS = [
    ['an unknown path', 'POST', '/v1/nothing', JSON_TYPE, '{}', 404],
    ['a doubled slash', 'POST', '//v1/traces', JSON_TYPE, '{}', 404],
    ['an escaped path', 'POST', '/v1/%74races', JSON_TYPE, '{}', 404],
    ['a path with dots', 'POST', '/v1/x/..%2ftraces', JSON_TYPE, '{}', 404],
    ['profiles, which are not served', 'POST', '/v1development/profiles', JSON_TYPE, '{}', 404],
    ['another method', 'PUT', '/v1/traces', JSON_TYPE, '{}', 405],
    ['another content type', 'POST', '/v1/traces', { 'content-type': 'text/plain' }, '{}', 415],
    ['an unknown encoding', 'POST', '/v1/traces', { ...JSON_TYPE, 'content-encoding': 'br' }, '{}', 415],
    ['nested encodings', 'POST', '/v1/traces', { ...JSON_TYPE, 'content-encoding': 'gzip, gzip' }, '{}', 415],
    ['what is not JSON', 'POST', '/v1/traces', JSON_TYPE, '{"resourceSpans":', 400],
    ['JSON nested 100,000 deep', 'POST', '/v1/traces', JSON_TYPE, '['.repeat(100_000), 400],
    [
      'JSON of millions of empty objects',
      'POST',
      '/v1/traces',
      { ...JSON_TYPE, 'content-encoding': 'gzip' },
      gzipSync(`{"x":[${'{},'.repeat(5_000_000)}{}]}`),
      413,
    ],
    [
      'truncated gzip',
      'POST',
      '/v1/traces',
      { ...JSON_TYPE, 'content-encoding': 'gzip' },
      gzipSync('{}').subarray(0, 12),
      400,
    ],
    ['garbage for protobuf', 'POST', '/v1/traces', PROTOBUF, Buffer.from('ffffffffffffffffffffff', 'hex'), 400],
    ['a truncated export', 'POST', '/v1/traces', PROTOBUF, spans(2).subarray(0, 40), 400],
  ] as const;

  test.each(REQUESTS)('%s: %s %s', async (_name, method, path, headers, body, status) => {
    const answer = await client.http(path, body as string, { ...headers, ...key() }, method);
    expect(answer.status).toBe(status);
    expect(answer.body.length).toBeGreaterThan(0);
    if (headers['content-type'] === 'application/json') expect(statusOf(answer.body).message).not.toBe('');
    expect(answer.headers['retry-after']).toBeUndefined();
  });

  test.each(['/v1/traces', '/v1/logs', '/v1/metrics'])('an empty request to %s succeeds', async (path) => {
    const json = await client.http(path, '{}', { ...JSON_TYPE, ...key() });
    expect([json.status, json.body.toString()]).toEqual([200, '{}']);
    const protobuf = await client.http(path, Buffer.alloc(0), { ...PROTOBUF, ...key() });
    expect([protobuf.status, protobuf.body.length]).toEqual([200, 0]);
  });

  test('media type parameters are allowed, and x-api-key serves as well', async () => {
    const headers = { 'content-type': 'application/json; charset=utf-8', 'x-api-key': stack.key('demo') };
    expect((await client.http('/v1/traces', '{}', headers)).status).toBe(200);
  });

  test('a bomb of many members is answered 413 without being inflated', async () => {
    const member = gzipSync(Buffer.alloc(16 * 1024 ** 2));
    const bomb = Buffer.concat(Array.from({ length: 64 }, () => member));
    const rss = () =>
      Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${stack.pid('edge')}/status`, 'utf8'))?.[1]) * 1_024;
    const before = rss();
    const answer = await client.http('/v1/traces', bomb, { ...PROTOBUF, ...key(), 'content-encoding': 'gzip' });
    expect(answer.status).toBe(413);
    // A gigabyte would have come out; the limit is 64 MiB.
    expect(rss() - before).toBeLessThan(250 * 1024 ** 2);
  });

  test('a declared length above the limit is answered 413 before it is read', async () => {
    const answer = await client
      .http('/v1/traces', Buffer.alloc(65 * 1024 ** 2), { ...PROTOBUF, ...key() })
      .catch(() => undefined);
    // The connection is closed on the sender while it still sends: some clients see that instead of the answer.
    if (answer !== undefined) expect(answer.status).toBe(413);
    expect(await stack.ready('edge')).toBe(true);
  });

  test('an item that cannot be stored is counted, its neighbours are stored, and it lands in the DLQ', async () => {
    const tenant = stack.freshTenant();
    const good = { traceId: new Uint8Array(16).fill(1), spanId: new Uint8Array(8).fill(1), startTimeUnixNano: 1n };
    const bad = { ...good, traceId: new Uint8Array(16) };
    const body = encodeExport('traces', { resourceSpans: [{ scopeSpans: [{ spans: [good, bad, good] }] }] });
    const before = await stack.metric('normalizer', 'weir_normalizer_dead_lettered_items_total', {
      reason: 'invalid_trace_id',
    });
    const answer = await client.export('traces', Buffer.from(body), { key: stack.key(tenant) });
    expect(answer.status).toBe(200);
    expect(answer.body.length).toBeGreaterThan(0);
    const count = `SELECT count() AS n FROM otel_traces WHERE TenantId = '${tenant}'`;
    await stack.until<{ n: string }>(count, ({ n }) => Number(n) === 2);
    const after = await stack.metric('normalizer', 'weir_normalizer_dead_lettered_items_total', {
      reason: 'invalid_trace_id',
    });
    expect(after - before).toBe(1);
  });

  test('over the rate: 429 with Retry-After, the limit and the usage, and others are not touched', async () => {
    const limited = { key: stack.key('limited') };
    let exports = 1;
    let answer = await client.export('traces', spans(10), limited);
    for (; exports < 6 && answer.status === 200; exports++) answer = await client.export('traces', spans(10), limited);
    expect(answer.status).toBe(429);
    expect(Number(answer.headers['retry-after'])).toBeGreaterThanOrEqual(1);
    expect(answer.body.toString()).toMatch(/items are limited to 10 a second \(burst 20\), used \d+ a second/);
    expect((await client.export('traces', spans(10), { key: stack.key('demo') })).status).toBe(200);
    await pause(Number(answer.headers['retry-after']) * 1_000 + 200);
    expect((await client.export('traces', spans(10), limited)).status).toBe(200);
    const taken = exports * 10;
    const booked = `accepted  ${taken}, acked  ${taken}, refused tenant_items_rate 10, stored  ${taken}`;
    await stack.until<{ outcomes: string }>(
      `SELECT arrayStringConcat(arraySort(groupArray(concat(Outcome, ' ', Reason, ' ', toString(n)))), ', ') AS outcomes
       FROM (SELECT Outcome, Reason, sum(Items) AS n FROM weir_usage WHERE TenantId = 'limited' GROUP BY ALL)`,
      ({ outcomes }) => outcomes === booked,
    );
  });
});

describe('over gRPC', () => {
  test.each([
    ['no key', undefined],
    ['an unknown key', `wk_00000000_${'A'.repeat(43)}`],
  ])('%s is UNAUTHENTICATED', async (_name, presented) => {
    const answer = await client.grpc('traces', spans(1), presented === undefined ? {} : { key: presented });
    expect(answer.ok ? 0 : answer.error.code).toBe(16);
  });

  test('garbage is INVALID_ARGUMENT with a BadRequest, without RetryInfo', async () => {
    const answer = await client.grpc('traces', Buffer.from('0a05ff', 'hex'), { key: stack.key('demo') });
    expect(answer.ok ? 0 : answer.error.code).toBe(3);
    const details = answer.ok ? undefined : answer.error.metadata.get('grpc-status-details-bin')[0];
    expect(String(details)).toContain('google.rpc.BadRequest');
    expect(String(details)).not.toContain('google.rpc.RetryInfo');
  });

  test('an unknown service is UNIMPLEMENTED', async () => {
    const method = '/opentelemetry.proto.collector.profiles.v1development.ProfilesService/Export';
    const answer = await client.grpc('traces', spans(1), { key: stack.key('demo'), method });
    expect(answer.ok ? 0 : answer.error.code).toBe(12);
  });

  test('over the rate is RESOURCE_EXHAUSTED with RetryInfo in both trailers', async () => {
    const options = { key: stack.key('limited') };
    let answer = await client.grpc('traces', spans(20), options);
    for (let i = 0; i < 5 && answer.ok; i++) answer = await client.grpc('traces', spans(20), options);
    expect(answer.ok ? 0 : answer.error.code).toBe(8);
    if (answer.ok) return;
    expect(String(answer.error.metadata.get('grpc-status-details-bin')[0])).toContain('google.rpc.RetryInfo');
    expect(answer.error.metadata.get('google.rpc.retryinfo-bin')[0]).toHaveLength(4);
  });

  test('a message above the limit is RESOURCE_EXHAUSTED without RetryInfo', async () => {
    const answer = await client.grpc('traces', Buffer.alloc(65 * 1024 ** 2), { key: stack.key('demo') });
    expect(answer.ok ? 0 : answer.error.code).toBe(8);
    if (!answer.ok) expect(answer.error.metadata.get('google.rpc.retryinfo-bin')).toEqual([]);
  });
});

test('a large export is split, and all of it is stored', async () => {
  const tenant = stack.freshTenant();
  const start = BigInt(Date.now()) * 1_000_000n;
  const made = Array.from({ length: 12_000 }, (_, i) => ({
    traceId: new Uint8Array(16).fill(3),
    spanId: new Uint8Array(new BigUint64Array([BigInt(i + 1)]).buffer),
    name: 'large',
    startTimeUnixNano: start,
    traceState: 'x'.repeat(800),
  }));
  const body = Buffer.from(encodeExport('traces', { resourceSpans: [{ scopeSpans: [{ spans: made }] }] }));
  expect(body.length).toBeGreaterThan(8 * 1024 ** 2);
  expect((await client.export('traces', body, { key: stack.key(tenant), gzip: true })).status).toBe(200);
  const sql = `SELECT count() AS n, uniqExact(SpanId) AS u FROM otel_traces WHERE TenantId = '${tenant}'`;
  expect(await stack.until<{ n: string; u: string }>(sql, ({ n }) => Number(n) >= 12_000)).toEqual({
    n: '12000',
    u: '12000',
  });
});
