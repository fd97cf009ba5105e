import type { SignalKind } from '@weir/pipeline';
import { encodeExport, type OracleRequestInit } from '@weir/testkit';

/** An export for benchmarks: items, and its OTLP protobuf bytes. */
export interface BenchExport {
  readonly signal: SignalKind;
  readonly items: number;
  readonly body: Uint8Array;
}

const START_NS = 1_795_237_200_000_000_000n;
const NAMES = ['GET /api/users', 'POST /api/orders', 'SELECT orders', 'redis GET', 'publish', 'authorize'];

const KINDS = [1, 2, 3, 4, 5] as const;

const text = (key: string, value: string) => ({ key, value: { value: { case: 'stringValue' as const, value } } });
const int = (key: string, value: number) => ({
  key,
  value: { value: { case: 'intValue' as const, value: BigInt(value) } },
});

function id(size: number, seed: number): Uint8Array {
  const bytes = Buffer.alloc(size);
  for (let at = 0; at < size; at += 4) bytes.writeUInt32LE(Math.imul(seed + at + 1, 0x9e3779b1) >>> 0, at);
  return bytes;
}

const resource = {
  attributes: [
    text('service.name', 'checkout'),
    text('service.version', '1.14.2'),
    text('host.name', 'node-17.internal'),
    text('telemetry.sdk.language', 'nodejs'),
  ],
};
const scope = { name: '@opentelemetry/instrumentation-http', version: '0.57.1' };

function attributesOf(i: number) {
  return [
    text('http.request.method', 'GET'),
    text('url.path', `/api/users/${(i * 7919) % 100_000}`),
    int('http.response.status_code', i % 17 === 0 ? 500 : 200),
    text('server.address', 'api.example.com'),
    int('server.port', 443),
    text('network.protocol.version', '1.1'),
    text('user_agent.original', 'Mozilla/5.0 (X11; Linux x86_64)'),
    text('client.address', `10.0.${i % 255}.${(i * 31) % 255}`),
  ];
}

/** Spans of 8 attributes and about 380 bytes, one in ten with an exception event. */
export function spansExport(items: number): BenchExport {
  const spans = Array.from({ length: items }, (_, i) => ({
    traceId: id(16, i >> 3),
    spanId: id(8, i),
    parentSpanId: i % 8 === 0 ? new Uint8Array(0) : id(8, i - 1),
    name: NAMES[i % NAMES.length]!,
    kind: KINDS[i % KINDS.length]!,
    startTimeUnixNano: START_NS + BigInt(i) * 1_000_000n,
    endTimeUnixNano: START_NS + BigInt(i) * 1_000_000n + BigInt((i * 7_919) % 900_000_000),
    attributes: attributesOf(i),
    status: i % 17 === 0 ? { code: 2 as const, message: 'internal error' } : {},
    events:
      i % 10 === 0
        ? [
            {
              timeUnixNano: START_NS + BigInt(i) * 1_000_000n,
              name: 'exception',
              attributes: [text('exception.type', 'Error'), text('exception.message', `request ${i} failed`)],
            },
          ]
        : [],
  }));
  return encoded('traces', items, { resourceSpans: [{ resource, scopeSpans: [{ scope, spans }] }] });
}

/** Log records with a body of about 70 bytes, 4 attributes and their span's ids. */
export function logsExport(items: number): BenchExport {
  const logRecords = Array.from({ length: items }, (_, i) => ({
    timeUnixNano: START_NS + BigInt(i) * 1_000_000n,
    observedTimeUnixNano: START_NS + BigInt(i) * 1_000_000n,
    severityNumber: 9 as const,
    severityText: 'INFO',
    body: {
      value: {
        case: 'stringValue' as const,
        value: `user ${(i * 7919) % 100_000} logged in from 10.0.${i % 255}.7, session ${i * 104_729}`,
      },
    },
    attributes: attributesOf(i).slice(0, 4),
    traceId: id(16, i >> 3),
    spanId: id(8, i),
  }));
  return encoded('logs', items, { resourceLogs: [{ resource, scopeLogs: [{ scope, logRecords }] }] });
}

/** Data points of 3 attributes: of every 10 points 4 are a sum's, 3 a gauge's (in ms, converted) and 3 a histogram's. */
export function metricsExport(items: number): BenchExport {
  const timeUnixNano = START_NS;
  const common = (i: number) => ({
    attributes: attributesOf(i).slice(0, 3),
    startTimeUnixNano: START_NS - 60_000_000_000n,
    timeUnixNano,
  });
  const numbers = (count: number) =>
    Array.from({ length: count }, (_, i) => ({
      ...common(i),
      value: { case: 'asDouble' as const, value: (i * 7919) % 1_000 },
    }));
  const histograms = Array.from({ length: items * 0.3 }, (_, i) => ({
    ...common(i),
    count: 10n,
    sum: 123.5,
    bucketCounts: [1n, 2n, 3n, 4n, 0n, 0n],
    explicitBounds: [0.005, 0.01, 0.1, 1, 10],
    min: 0.001,
    max: 0.9,
  }));
  const metrics = [
    {
      name: 'http.server.requests',
      unit: '{request}',
      data: {
        case: 'sum' as const,
        value: { aggregationTemporality: 2 as const, isMonotonic: true, dataPoints: numbers(items * 0.4) },
      },
    },
    { name: 'queue.wait', unit: 'ms', data: { case: 'gauge' as const, value: { dataPoints: numbers(items * 0.3) } } },
    {
      name: 'http.server.request.duration',
      unit: 's',
      data: { case: 'histogram' as const, value: { aggregationTemporality: 2 as const, dataPoints: histograms } },
    },
  ];
  return encoded('metrics', items, { resourceMetrics: [{ resource, scopeMetrics: [{ scope, metrics }] }] });
}

function encoded<S extends SignalKind>(signal: S, items: number, init: OracleRequestInit<S>): BenchExport {
  return { signal, items, body: encodeExport(signal, init) };
}
