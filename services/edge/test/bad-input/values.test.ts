import { randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { encodeExport } from '@weir/testkit';
import { sharedStack } from '@weir/testkit/vitest';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Front, type Reply, statusOn, TRANSPORTS, type Transport } from './front.ts';
import { ATTACKER, LITTLE, unharmed } from './unharmed.ts';

const stack = sharedStack();
let key = '';

beforeAll(() => {
  key = stack.key(ATTACKER);
});
const nowNs = () => BigInt(Date.now()) * 1_000_000n;

interface Row {
  readonly name: string;
  readonly service: string;
  readonly attributes: Readonly<Record<string, string>>;
}

interface Sent {
  readonly name?: string;
  readonly service?: string;
  readonly attributes?: readonly (readonly [string, string])[];
}

/** One span, as each transport writes it. In JSON all texts are escaped; raw ones are put in by `jsonSpan`. */
function spanOf(transport: Transport, traceId: Buffer, { name = 'n', service = 's', attributes = [] }: Sent): Buffer {
  const pair = ([key, value]: readonly [string, string]) => ({ key, value: { stringValue: value } });
  if (transport === 'HTTP/JSON') {
    return jsonSpan(
      traceId,
      `"name":${JSON.stringify(name)},"attributes":${JSON.stringify(attributes.map(pair))}`,
      `{"key":"service.name","value":{"stringValue":${JSON.stringify(service)}}}`,
    );
  }
  const value = (text: string) => ({ value: { case: 'stringValue' as const, value: text } });
  const span = {
    traceId,
    spanId: Buffer.alloc(8, 7),
    name,
    startTimeUnixNano: nowNs(),
    attributes: attributes.map(([key, text]) => ({ key, value: value(text) })),
  };
  const resource = { attributes: [{ key: 'service.name', value: value(service) }] };
  return Buffer.from(encodeExport('traces', { resourceSpans: [{ resource, scopeSpans: [{ spans: [span] }] }] }));
}

function jsonSpan(traceId: Buffer, members: string, resourceAttribute = ''): Buffer {
  const ids = `"traceId":"${traceId.toString('hex')}","spanId":"${'07'.repeat(8)}","startTimeUnixNano":"${nowNs()}"`;
  return Buffer.from(
    `{"resourceSpans":[{"resource":{"attributes":[${resourceAttribute}]},"scopeSpans":[{"spans":[{${ids},${members}}]}]}]}`,
  );
}

const attribute = (value: string, name = 'a') => `"attributes":[{"key":"${name}","value":${value}}]`;

function stored(traceId: Buffer): Promise<Row> {
  return stack.until<Row>(
    `SELECT SpanName AS name, ServiceName AS service, SpanAttributes AS attributes FROM otel_traces
     WHERE TenantId = '${ATTACKER}' AND TraceId = '${traceId.toString('hex')}'`,
    () => true,
  );
}

/** Items that an answer says were rejected, over any transport. */
function rejected(transport: Transport, { body }: Reply): number {
  if (transport === 'HTTP/JSON') {
    const { partialSuccess = {} } = JSON.parse(body.toString()) as { partialSuccess?: Record<string, unknown> };
    return Number(Object.entries(partialSuccess).find(([name]) => name.startsWith('rejected'))?.[1] ?? 0);
  }
  // The answer is partial_success (1), and in it rejected_* (1), a varint.
  const message = transport === 'gRPC' ? body.subarray(5) : body;
  return message.length === 0 ? 0 : message[3]!;
}

describe.each(['edge', 'Envoy'] as const)('on %s', (name) => {
  const front = new Front(stack, name);
  afterAll(() => front.close());
  const send = (transport: Transport, body: Buffer, signal?: 'traces' | 'logs' | 'metrics') =>
    unharmed(front, LITTLE, () => front.send({ transport, body, key, signal: signal ?? 'traces' }));
  const ok = (transport: Transport) => statusOn(transport, { http: 200, grpc: 0 });

  describe.each(TRANSPORTS)('%s', (transport) => {
    const of = (row: number, behaviour: string) => `bad input ${row} | ${transport} | ${name} | ${behaviour}`;

    test(of(9, '__proto__ and constructor are keys like others, stored as such'), async () => {
      const traceId = randomBytes(16);
      const names = ['__proto__', 'constructor', 'prototype', 'toString', 'hasOwnProperty'];
      const attributes = names.map((each) => [each, `of ${each}`] as const);
      expect((await send(transport, spanOf(transport, traceId, { attributes }))).status).toBe(ok(transport));
      expect(Object.entries((await stored(traceId)).attributes).sort()).toEqual([...attributes].sort());
    });

    test(of(11, 'NUL is data and comes out as it went in'), async () => {
      const traceId = randomBytes(16);
      const text = 'a\0b\u{1f600}\u2028\ufeffc';
      const sent = { name: text, service: text, attributes: [[text, text]] as const };
      expect((await send(transport, spanOf(transport, traceId, sent))).status).toBe(ok(transport));
      expect(await stored(traceId)).toEqual({ name: text, service: text, attributes: { [text]: text } });
    });

    test(of(13, 'a histogram with mismatched buckets is counted as rejected, its neighbour taken'), async () => {
      const reply = await send(transport, histograms(transport), 'metrics');
      expect([reply.status, rejected(transport, reply)]).toEqual([ok(transport), 1]);
    });

    test(
      of(13, 'times of 0 and 2^64-1 are rejected one by one, and a time of any year makes no partition'),
      async () => {
        const partitions = `SELECT uniqExact(partition) AS n FROM system.parts WHERE table = 'otel_traces' AND active`;
        const traceId = randomBytes(16);
        const before = await stack.query<{ n: string }>(partitions);
        const years = Array.from({ length: 290 }, (_, year) => BigInt(year) * 31_556_952n * 1_000_000_000n + 1n);
        const reply = await send(transport, timesExport(transport, traceId, [0n, 2n ** 64n - 1n, ...years]));
        expect(reply.status).toBe(ok(transport));
        const gone = rejected(transport, reply);
        // Those two, and what is outside of the tenant's own window, where it has one.
        expect(gone).toBeGreaterThanOrEqual(2);
        const count = `SELECT count() AS n FROM otel_traces WHERE TenantId = '${ATTACKER}' AND TraceId = '${traceId.toString('hex')}'`;
        await stack.until<{ n: string }>(count, ({ n }) => Number(n) === years.length + 2 - gone);
        const [after] = await stack.query<{ n: string }>(partitions);
        // One may be made: the day of today, where this is its first span.
        expect(Number(after!.n) - Number(before[0]!.n)).toBeLessThanOrEqual(1);
      },
    );

    test(of(21, 'SQL in names, attributes and headers is text'), async () => {
      const traceId = randomBytes(16);
      const sql = "x'); DROP TABLE otel_traces; -- \\' ` \" /* */ {tenant:String} %s $1";
      const tables = () =>
        stack.query<{ n: string }>(`SELECT count() AS n FROM system.tables WHERE database = currentDatabase()`);
      const before = await tables();
      const reply = await unharmed(front, LITTLE, () =>
        front.send({
          transport,
          key,
          body: spanOf(transport, traceId, { name: sql, service: sql, attributes: [[sql, sql]] }),
          headers: { 'x-weir-tenant': "' OR 1=1 --", 'user-agent': "'; DROP TABLE weir_usage; --" },
        }),
      );
      expect(reply.status).toBe(ok(transport));
      expect(await stored(traceId)).toEqual({ name: sql, service: sql, attributes: { [sql]: sql } });
      expect(await tables()).toEqual(before);
    });

    test(of(22, 'CR and LF in values make no line of any log'), async () => {
      const traceId = randomBytes(16);
      const mark = `forged-${traceId.toString('hex')}`;
      const line = `x\r\n{"level":60,"msg":"${mark}"}\r\n\u2028${mark}`;
      const sent = { name: line, service: line, attributes: [[line, line]] as const };
      expect((await send(transport, spanOf(transport, traceId, sent))).status).toBe(ok(transport));
      // These cannot be stored, and go the way of dead letters.
      await send(transport, spanOf(transport, Buffer.alloc(16), sent));
      expect((await stored(traceId)).name).toBe(line);
      for (const process of ['edge', 'normalizer', 'sink', 'envoy']) {
        const log = readFileSync(join(stack.dataDir, 'logs', `${process}.log`), 'utf8');
        const lines = log.split(/[\r\n\u2028]/).filter((each) => each.includes(mark));
        // Where a value is told at all, it is inside a string of a line of ours.
        for (const each of lines) expect(JSON.parse(each)).not.toMatchObject({ msg: mark });
      }
    });
  });

  const REFUSED_NUMBERS = [
    '{"intValue":"18446744073709551616"}',
    '{"intValue":18446744073709551616}',
    '{"intValue":"9223372036854775808"}',
    '{"intValue":1e400}',
    '{"intValue":1.5}',
    '{"intValue":"NaN"}',
    '{"intValue":"0x10"}',
    '{"doubleValue":1e400}',
    '{"doubleValue":-1e400}',
    '{"doubleValue":"1e400"}',
    '{"doubleValue":"nan"}',
    '{"doubleValue":NaN}',
    '{"doubleValue":Infinity}',
  ];
  test(`bad input 10 | HTTP/JSON | ${name} | numbers that their field cannot hold are malformed`, async () => {
    const bodies = [
      ...REFUSED_NUMBERS.map((value) => jsonSpan(randomBytes(16), attribute(value))),
      jsonSpan(randomBytes(16), '"endTimeUnixNano":"18446744073709551616"'),
      jsonSpan(randomBytes(16), '"endTimeUnixNano":"-1"'),
      jsonSpan(randomBytes(16), '"kind":1e400'),
    ];
    const replies = await unharmed(front, LITTLE, () =>
      Promise.all(bodies.map((body) => front.send({ transport: 'HTTP/JSON', body, key }))),
    );
    expect(replies.map(({ status }) => status)).toEqual(bodies.map(() => 400));
  });

  test(`bad input 10 | HTTP/JSON | ${name} | the largest numbers, NaN and infinities as strings are data`, async () => {
    const traceId = randomBytes(16);
    const values = [
      '{"doubleValue":"NaN"}',
      '{"doubleValue":"-Infinity"}',
      '{"doubleValue":1e308}',
      '{"intValue":9223372036854775807}',
    ];
    const members = values.map((value, i) => `{"key":"a${i}","value":${value}}`).join(',');
    const reply = await send('HTTP/JSON', jsonSpan(traceId, `"attributes":[${members}]`));
    expect(reply.status).toBe(200);
    expect((await stored(traceId)).attributes).toEqual({
      a0: 'NaN',
      a1: '-Infinity',
      a2: '1e+308',
      a3: '9223372036854775807',
    });
  });

  for (const transport of ['HTTP/protobuf', 'gRPC'] as const) {
    test(`bad input 10 | ${transport} | ${name} | NaN and infinities are data`, async () => {
      const traceId = randomBytes(16);
      const attributes = [Number.NaN, Number.POSITIVE_INFINITY].map((value, i) => ({
        key: `a${i}`,
        value: { value: { case: 'doubleValue' as const, value } },
      }));
      const span = { traceId, spanId: Buffer.alloc(8, 7), startTimeUnixNano: nowNs(), attributes };
      const body = Buffer.from(encodeExport('traces', { resourceSpans: [{ scopeSpans: [{ spans: [span] }] }] }));
      expect((await send(transport, body)).status).toBe(ok(transport));
      expect((await stored(traceId)).attributes).toEqual({ a0: 'NaN', a1: 'Infinity' });
    });

    test(`bad input 11 | ${transport} | ${name} | bytes that are no UTF-8 are malformed in names, keys and values`, async () => {
      const mark = 'MARK';
      const bodies = ['ff', 'c080', 'eda080', 'f4908080', 'e28a'].flatMap((hex) =>
        [{ name: mark }, { attributes: [[mark, 'v']] as const }, { attributes: [['k', mark]] as const }].map((sent) => {
          const bytes = Buffer.from(hex, 'hex');
          const body = spanOf(transport, randomBytes(16), sent);
          body.set(
            Buffer.concat([bytes, Buffer.alloc(mark.length, 0x61)]).subarray(0, mark.length),
            body.indexOf(mark),
          );
          return body;
        }),
      );
      const replies = await unharmed(front, LITTLE, () =>
        Promise.all(bodies.map((body) => front.send({ transport, body, key }))),
      );
      const malformed = statusOn(transport, { http: 400, grpc: 3 });
      expect(replies.map(({ status }) => status)).toEqual(bodies.map(() => malformed));
    });
  }

  test(`bad input 9 | HTTP/JSON | ${name} | __proto__ as a member of the JSON itself changes nothing`, async () => {
    const evil = '"__proto__":{"name":"evil","attributes":[{"key":"x"}]},"constructor":{"prototype":{"name":"evil"}}';
    const [traceId, next] = [randomBytes(16), randomBytes(16)];
    expect((await send('HTTP/JSON', jsonSpan(traceId, `${evil},"kind":1`))).status).toBe(200);
    expect((await send('HTTP/JSON', jsonSpan(next, '"kind":1'))).status).toBe(200);
    for (const id of [traceId, next]) expect(await stored(id)).toMatchObject({ name: '', attributes: {} });
  });

  test(`bad input 11 | HTTP/JSON | ${name} | what is no UTF-8, and lone surrogates, become U+FFFD`, async () => {
    const traceId = randomBytes(16);
    const body = jsonSpan(traceId, `"name":"MARK\\ud800x\\udc00",${attribute('{"stringValue":"\\ud83d"}', '\\udfff')}`);
    body.set(Buffer.from('61ff62c0', 'hex'), body.indexOf('MARK'));
    expect((await send('HTTP/JSON', body)).status).toBe(200);
    expect(await stored(traceId)).toMatchObject({
      name: 'a\ufffdb\ufffd\ufffdx\ufffd',
      attributes: { '\ufffd': '\ufffd' },
    });
  });
});

test('bad input 21 | HTTP/protobuf | edge | SQL is no name of a tenant', async () => {
  const file = join(stack.dataDir, 'hostile-tenants.yaml');
  writeFileSync(file, 'version: 1\ntenants:\n  "x\'; DROP TABLE weir_usage; --": { keys: [] }\n');
  const said = await stack.ingestctl('tenants', 'apply', '-f', file).catch((error: Error) => error.message);
  expect(said).toContain('hostile-tenants.yaml:3:');
});

/** A histogram of two points, of which the second has a bucket too few. */
function histograms(transport: Transport): Buffer {
  const counts = [[1, 2], [3]];
  if (transport === 'HTTP/JSON') {
    const dataPoints = counts.map((bucketCounts) => ({
      count: '3',
      timeUnixNano: String(nowNs()),
      bucketCounts: bucketCounts.map(String),
      explicitBounds: [1],
    }));
    const metrics = [{ name: 'h', histogram: { aggregationTemporality: 2, dataPoints } }];
    return Buffer.from(JSON.stringify({ resourceMetrics: [{ scopeMetrics: [{ metrics }] }] }));
  }
  const dataPoints = counts.map((bucketCounts) => ({
    count: 3n,
    timeUnixNano: nowNs(),
    bucketCounts: bucketCounts.map(BigInt),
    explicitBounds: [1],
  }));
  const data = { case: 'histogram' as const, value: { aggregationTemporality: 2 as const, dataPoints } };
  return Buffer.from(
    encodeExport('metrics', { resourceMetrics: [{ scopeMetrics: [{ metrics: [{ name: 'h', data }] }] }] }),
  );
}

function timesExport(transport: Transport, traceId: Buffer, times: readonly bigint[]): Buffer {
  if (transport === 'HTTP/JSON') {
    const spans = times.map((time) => ({
      traceId: traceId.toString('hex'),
      spanId: '07'.repeat(8),
      startTimeUnixNano: String(time),
    }));
    return Buffer.from(JSON.stringify({ resourceSpans: [{ scopeSpans: [{ spans }] }] }));
  }
  const spans = times.map((startTimeUnixNano) => ({ traceId, spanId: Buffer.alloc(8, 7), startTimeUnixNano }));
  return Buffer.from(encodeExport('traces', { resourceSpans: [{ scopeSpans: [{ spans }] }] }));
}
