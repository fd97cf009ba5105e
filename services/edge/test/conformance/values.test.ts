import type { WireOutcome, WirePlace } from '@weir/testkit';
import { beforeAll, expect, test } from 'vitest';
import { items, oneItem } from './made-exports.ts';
import { behaves, ON, stack, title, wireTo } from './row.ts';

const TENANT = stack.freshTenant();
const TRACE = 'AbCdEf0123456789aBcDeF0123456789';
const SPAN = 'FEDCBA9876543210';
const PLACES: readonly WirePlace[] = ['edge', 'Envoy'];
const now = () => String(BigInt(Date.now()) * 1_000_000n);

/** One span as text, with every kind of value that JSON writes in its own way. */
function jsonSpan(name: string): string {
  return JSON.stringify({
    unknownField: { nested: [1, 2] },
    resourceSpans: [
      {
        scopeSpans: [
          {
            spans: [
              {
                traceId: TRACE,
                spanId: SPAN,
                parentSpanId: SPAN.toLowerCase(),
                name,
                kind: 2,
                status: { code: 2 },
                start_time_unix_nano: 'passed over',
                startTimeUnixNano: now(),
                endTimeUnixNano: now(),
                links: [{ traceId: TRACE, spanId: SPAN }],
                attributes: [
                  { key: 'bytes', value: { bytesValue: '3q2+7w==' } },
                  { key: 'string integer', value: { intValue: '9223372036854775807' } },
                  { key: 'number integer', value: { intValue: 42 } },
                  { key: 'long integer', value: { intValue: 'LONG' } },
                  { key: 'snake', value: { string_value: 'passed over' } },
                  { key: 'unknown', value: { stringValue: 'known', color: 'red' } },
                ],
              },
            ],
          },
        ],
      },
    ],
    // A number that a double does not hold, as a number.
  }).replace('"LONG"', '9007199254740993');
}

const jsonLog = (body: string) =>
  `{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"timeUnixNano":${now()},"severityNumber":9,"traceId":"${TRACE}","spanId":"${SPAN}","body":{"stringValue":"${body}"}}]}]}]}`;

const jsonMetric = (name: string) =>
  `{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"name":"${name}","sum":{"aggregationTemporality":2,"isMonotonic":true,"dataPoints":[{"timeUnixNano":"${now()}","asInt":"7","exemplars":[{"timeUnixNano":"${now()}","asDouble":1.5,"traceId":"${TRACE}","spanId":"${SPAN}"}]}]}}]}]}]}`;

const outcomes: WireOutcome[] = [];

beforeAll(async () => {
  const key = stack.key(TENANT);
  for (const place of PLACES) {
    const wire = wireTo(place);
    outcomes.push(
      await wire.send('HTTP/JSON', { signal: 'traces', body: jsonSpan(`json ${place}`), key }),
      await wire.send('HTTP/JSON', { signal: 'logs', body: jsonLog(`json ${place}`), key }),
      await wire.send('HTTP/JSON', { signal: 'metrics', body: jsonMetric(`json.${place}`), key }),
    );
  }
  for (const outcome of outcomes) expect(outcome).toMatchObject({ http: 200, partial: { set: false } });
  for (const table of ['otel_traces', 'otel_logs', 'otel_metrics_sum']) {
    const sql = `SELECT count() AS n FROM ${table} WHERE TenantId = '${TENANT}'`;
    await stack.until<{ n: string }>(sql, ({ n }) => Number(n) >= PLACES.length);
  }
});

async function row<T>(table: string, columns: string, where: string): Promise<T | undefined> {
  const [found] = await stack.query<T>(`SELECT ${columns} FROM ${table} WHERE TenantId = '${TENANT}' AND ${where}`);
  return found;
}

for (const place of PLACES) {
  const json = (behaviour: string, run: () => Promise<void>) => test(title(13, 'HTTP/JSON', place, behaviour), run);
  const span = (columns: string) => row<Record<string, unknown>>('otel_traces', columns, `SpanName = 'json ${place}'`);

  json('ids of spans and links are hex in either case', async () => {
    expect(await span('TraceId, SpanId, ParentSpanId, Links.TraceId AS lt, Links.SpanId AS ls')).toEqual({
      TraceId: TRACE.toLowerCase(),
      SpanId: SPAN.toLowerCase(),
      ParentSpanId: SPAN.toLowerCase(),
      lt: [TRACE.toLowerCase()],
      ls: [SPAN.toLowerCase()],
    });
  });

  json('ids of log records are hex in either case', async () => {
    const ids = { TraceId: TRACE.toLowerCase(), SpanId: SPAN.toLowerCase() };
    expect(await row('otel_logs', 'TraceId, SpanId', `Body = 'json ${place}'`)).toEqual(ids);
  });

  json('ids of exemplars are hex in either case', async () => {
    const columns = 'Exemplars.TraceId AS t, Exemplars.SpanId AS s';
    const ids = { t: [TRACE.toLowerCase()], s: [SPAN.toLowerCase()] };
    expect(await row('otel_metrics_sum', columns, `MetricName = 'json.${place}'`)).toEqual(ids);
  });

  json('other bytes are base64, and 64-bit integers strings or numbers that keep every digit', async () => {
    const attribute = (name: string) => `SpanAttributes['${name}']`;
    const names = ['bytes', 'string integer', 'number integer', 'long integer'];
    const columns = names.map((name, at) => `${attribute(name)} AS c${at}`).join(', ');
    expect(await span(columns)).toEqual({
      c0: '3q2+7w==',
      c1: '9223372036854775807',
      c2: '42',
      c3: '9007199254740993',
    });
  });

  json('enums are integers', async () => {
    expect(await span('SpanKind, StatusCode')).toEqual({ SpanKind: 'Server', StatusCode: 'Error' });
  });

  json('only lowerCamelCase names are known, and what is not known is passed over', async () => {
    expect(await span(`SpanAttributes['snake'] AS snake, SpanAttributes['unknown'] AS unknown`)).toEqual({
      snake: '',
      unknown: 'known',
    });
  });
}

const WRONG = [
  ['an enum by its name', '"kind":"SPAN_KIND_SERVER"'],
  ['an id that is not hex', '"traceId":"3q2+7w=="'],
  ['bytes that are not base64', '"attributes":[{"key":"a","value":{"bytesValue":"*"}}]'],
  ['an integer that is none', '"startTimeUnixNano":"soon"'],
] as const;

for (const [what, field] of WRONG) {
  behaves(
    13,
    `${what} is 400 with a BadRequest`,
    async ({ wire }) => {
      const body = `{"resourceSpans":[{"scopeSpans":[{"spans":[{${field}}]}]}]}`;
      const outcome = await wire.send('HTTP/JSON', { signal: 'traces', body, key: stack.key(TENANT) });
      expect(outcome).toMatchObject({ http: 400, code: 3, status: { details: [{ type: 'google.rpc.BadRequest' }] } });
    },
    ON.json,
  );
}

behaves(
  13,
  'ids in snake case are not known: the span has none, and is counted',
  async ({ wire }) => {
    const body = `{"resourceSpans":[{"scopeSpans":[{"spans":[{"trace_id":"${TRACE}","span_id":"${SPAN}","startTimeUnixNano":"${now()}"}]}]}]}`;
    const outcome = await wire.send('HTTP/JSON', { signal: 'traces', body, key: stack.key(TENANT) });
    expect(outcome).toMatchObject({ http: 200, partial: { set: true, rejected: 1 } });
  },
  ON.json,
);

const ODD = [
  { key: 'empty', value: {} },
  { key: 'unset' },
  { key: 'bytes', value: { value: { case: 'bytesValue', value: Uint8Array.of(0, 255) } } },
  {
    key: 'mixed',
    value: {
      value: {
        case: 'arrayValue',
        value: {
          values: [
            { value: { case: 'intValue', value: 1n } },
            { value: { case: 'stringValue', value: 'two' } },
            {},
            { value: { case: 'boolValue', value: true } },
          ],
        },
      },
    },
  },
  {
    key: 'map',
    value: {
      value: {
        case: 'kvlistValue',
        value: { values: [{ key: 'inner', value: { value: { case: 'doubleValue', value: 0.5 } } }] },
      },
    },
  },
];

behaves(
  14,
  'attribute values may be empty, bytes, mixed arrays and maps, and are stored',
  async ({ transport, place, wire }) => {
    const name = `values ${transport} ${place}`;
    const body = oneItem('traces', name, { attributes: ODD });
    expect(await wire.send(transport, { signal: 'traces', body, key: stack.key(TENANT) })).toMatchObject({
      http: 200,
      partial: { set: false },
    });
    const columns = ODD.map(({ key }) => `SpanAttributes['${key}'] AS ${key}`).join(', ');
    const found = await stack.until(
      `SELECT ${columns} FROM otel_traces WHERE TenantId = '${TENANT}' AND SpanName = '${name}'`,
      () => true,
    );
    expect(found).toEqual({ empty: '', unset: '', bytes: 'AP8=', mixed: '[1,"two",null,true]', map: '{"inner":0.5}' });
  },
);

behaves(14, 'flags above the low eight bits may be set', async ({ transport, wire }) => {
  const key = stack.key(TENANT);
  const link = { traceId: new Uint8Array(16).fill(1), spanId: new Uint8Array(8).fill(1), flags: 0xffff_ff01 };
  const spans = items('traces', 'flags', [{ flags: 0xffff_fc01 }, { flags: 0x301, links: [link] }]);
  const logs = items('logs', 'flags', [{ flags: 0xffff_fc01 }]);
  expect(await wire.send(transport, { signal: 'traces', body: spans, key })).toMatchObject({
    http: 200,
    partial: { set: false },
  });
  expect(await wire.send(transport, { signal: 'logs', body: logs, key })).toMatchObject({
    http: 200,
    partial: { set: false },
  });
});

for (const [what, fields] of [
  ['a trace id of 15 bytes', { traceId: new Uint8Array(15).fill(1) }],
  ['a trace id of 17 bytes', { traceId: new Uint8Array(17).fill(1) }],
  ['a trace id of zeros', { traceId: new Uint8Array(16) }],
  ['a span id of 7 bytes', { spanId: new Uint8Array(7).fill(1) }],
  ['a span id of 9 bytes', { spanId: new Uint8Array(9).fill(1) }],
  ['a span id of zeros', { spanId: new Uint8Array(8) }],
] as const) {
  behaves(14, `${what} makes a span invalid`, async ({ transport, wire }) => {
    const outcome = await wire.send(transport, {
      signal: 'traces',
      body: oneItem('traces', 'ids', fields),
      key: stack.key(TENANT),
    });
    expect(outcome).toMatchObject({ http: 200, partial: { set: true, rejected: 1 } });
  });
}
