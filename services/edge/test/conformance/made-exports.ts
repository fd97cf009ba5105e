import type { SignalKind } from '@weir/pipeline';
import { encodeExport, type OracleRequestInit } from '@weir/testkit';

const nowNs = (): bigint => BigInt(Date.now()) * 1_000_000n;

/** An export of one good item whose span name, body or metric name is `name`; the fields are set over it. */
export function oneItem(signal: SignalKind, name: string, fields: object = {}): Buffer {
  return Buffer.from(encodeExport(signal, REQUESTS[signal]([{ ...GOOD[signal](name), ...fields }]) as never));
}

/** An export of these items, each over a good one. */
export function items(signal: SignalKind, name: string, each: readonly object[]): Buffer {
  return Buffer.from(
    encodeExport(signal, REQUESTS[signal](each.map((fields) => ({ ...GOOD[signal](name), ...fields }))) as never),
  );
}

/** A histogram's points, each over a good one. */
export function histogramPoints(name: string, each: readonly object[]): Buffer {
  const dataPoints = each.map((fields) => ({
    timeUnixNano: nowNs(),
    startTimeUnixNano: nowNs(),
    count: 3n,
    bucketCounts: [1n, 2n],
    explicitBounds: [1],
    ...fields,
  }));
  const metric = {
    name,
    unit: 's',
    data: { case: 'histogram' as const, value: { aggregationTemporality: 2, dataPoints } },
  };
  return Buffer.from(encodeExport('metrics', REQUESTS.metrics([metric]) as never));
}

const GOOD: Readonly<Record<SignalKind, (name: string) => object>> = {
  traces: (name) => ({
    traceId: new Uint8Array(16).fill(5),
    spanId: new Uint8Array(8).fill(6),
    name,
    startTimeUnixNano: nowNs(),
    endTimeUnixNano: nowNs() + 1_000n,
  }),
  logs: (name) => ({ timeUnixNano: nowNs(), body: { value: { case: 'stringValue', value: name } } }),
  metrics: (name) => ({
    name,
    unit: '1',
    data: { case: 'gauge', value: { dataPoints: [{ timeUnixNano: nowNs(), value: { case: 'asInt', value: 7n } }] } },
  }),
};

const REQUESTS: Readonly<Record<SignalKind, (items: readonly object[]) => object>> = {
  traces: (spans): OracleRequestInit<'traces'> => ({ resourceSpans: [{ scopeSpans: [{ spans: [...spans] }] }] }),
  logs: (logRecords): OracleRequestInit<'logs'> => ({
    resourceLogs: [{ scopeLogs: [{ logRecords: [...logRecords] }] }],
  }),
  metrics: (metrics): OracleRequestInit<'metrics'> => ({
    resourceMetrics: [{ scopeMetrics: [{ metrics: [...metrics] }] }],
  }),
};
