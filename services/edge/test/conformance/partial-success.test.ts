import { createKafkaLog } from '@weir/kafka';
import { SIGNALS, type SignalKind, systemClock } from '@weir/pipeline';
import { CONTROL_TOPICS, decodeDlqMeta } from '@weir/records';
import { pause, WIRE_PLACES, WIRE_TRANSPORTS, type WireOutcome } from '@weir/testkit';
import { beforeAll, expect, test } from 'vitest';
import { histogramPoints, items, oneItem } from './made-exports.ts';
import { behaves, stack, title, wireTo } from './row.ts';

const TENANT = stack.freshTenant();
const NEVER = new AbortController().signal;
const TOO_LATE = 2n ** 64n - 1n;

const id = (bytes: number, fill = 7) => new Uint8Array(bytes).fill(fill);

interface Case {
  readonly what: string;
  readonly signal: SignalKind;
  readonly table: string;
  readonly nameColumn: string;
  readonly make: (name: string) => Buffer;
  /** Items by the reason for which they cannot be stored. */
  readonly invalid: Readonly<Record<string, number>>;
  readonly good: number;
}

const CASES: readonly Case[] = [
  {
    what: 'spans with zero and wrong-length ids and impossible times',
    signal: 'traces',
    table: 'otel_traces',
    nameColumn: 'SpanName',
    make: (name) =>
      items('traces', name, [
        {},
        { traceId: id(16, 0) },
        { traceId: id(15) },
        { traceId: id(0) },
        { spanId: id(8, 0) },
        { spanId: id(9) },
        { parentSpanId: id(7) },
        { startTimeUnixNano: 0n },
        { startTimeUnixNano: TOO_LATE },
        { endTimeUnixNano: TOO_LATE },
        {},
      ]),
    invalid: { invalid_trace_id: 3, invalid_span_id: 3, invalid_time: 3 },
    good: 2,
  },
  {
    what: 'log records with wrong-length ids and impossible times',
    signal: 'logs',
    table: 'otel_logs',
    nameColumn: 'Body',
    make: (name) =>
      items('logs', name, [
        {},
        { traceId: id(15), spanId: id(8) },
        { traceId: id(16), spanId: id(7) },
        { timeUnixNano: TOO_LATE },
        { observedTimeUnixNano: TOO_LATE },
        {},
      ]),
    invalid: { invalid_trace_id: 1, invalid_span_id: 1, invalid_time: 2 },
    good: 2,
  },
  {
    what: 'histogram points with mismatched buckets and impossible times',
    signal: 'metrics',
    table: 'otel_metrics_histogram',
    nameColumn: 'MetricName',
    make: (name) =>
      histogramPoints(name, [
        {},
        { bucketCounts: [1n, 2n, 3n] },
        { bucketCounts: [3n], explicitBounds: [1, 2] },
        { bucketCounts: [] },
        { timeUnixNano: 0n },
        { timeUnixNano: TOO_LATE },
        {},
      ]),
    invalid: { mismatched_buckets: 3, invalid_time: 2 },
    good: 2,
  },
];

const cases = CASES.flatMap((each) =>
  WIRE_TRANSPORTS.flatMap((transport) =>
    WIRE_PLACES.map((place) => ({ ...each, transport, place, name: `partial ${each.signal} ${transport} ${place}` })),
  ),
);

const outcomes = new Map<string, WireOutcome>();
const stored = new Map<string, number>();
/** Items in letters, by the name of the items and the reason. */
let letters = new Map<string, Record<string, number>>();

beforeAll(async () => {
  const key = stack.key(TENANT);
  for (const { transport, place, name, signal, make } of cases) {
    outcomes.set(name, await wireTo(place).send(transport, { signal, body: make(name), key }));
  }
  for (const { table, nameColumn, good } of CASES) {
    const where = `WHERE TenantId = '${TENANT}' AND ${nameColumn} LIKE 'partial %'`;
    const wanted = good * WIRE_TRANSPORTS.length * WIRE_PLACES.length;
    const enough = ({ n }: { n: string }) => Number(n) >= wanted;
    await stack.until(`SELECT count() AS n FROM ${table} ${where}`, enough).catch(() => undefined);
    const rows = await stack.query<{ name: string; n: string }>(
      `SELECT ${nameColumn} AS name, count() AS n FROM ${table} ${where} GROUP BY name`,
    );
    for (const { name, n } of rows) stored.set(name, Number(n));
  }
  const deadline = Date.now() + 20_000;
  letters = await readLetters();
  while (letters.size < cases.length && Date.now() < deadline) {
    await pause(200);
    letters = await readLetters();
  }
});

async function readLetters(): Promise<typeof letters> {
  const quiet = { warn: () => undefined, debug: () => undefined };
  const log = createKafkaLog({ brokers: stack.local.kafka.brokers, clientId: 'conformance' }, quiet, systemClock);
  const found: typeof letters = new Map();
  const { start, end } = await log.bounds(CONTROL_TOPICS.dlq, 0, NEVER);
  for (let offset = start; offset < end; ) {
    const page = await log.read(CONTROL_TOPICS.dlq, 0, offset, { maxBytes: 4 * 1024 ** 2, maxWaitMs: 500 }, NEVER);
    for (const { meta, value } of page.records) {
      const decoded = decodeDlqMeta(meta);
      if (!decoded.ok || decoded.value.tenant !== TENANT) continue;
      const name = cases.find((each) => value?.includes(each.name))?.name;
      if (name === undefined) continue;
      const { reason, items: count } = decoded.value;
      const own = found.get(name) ?? {};
      own[reason] = (own[reason] ?? 0) + count;
      found.set(name, own);
    }
    offset = page.nextOffset;
  }
  await log.close();
  return found;
}

for (const { what, transport, place, name, invalid, good } of cases) {
  test(
    title(8, transport, place, `${what}: counted in the answer, in the DLQ by reason, their neighbours stored`),
    () => {
      const outcome = outcomes.get(name);
      const rejected = Object.values(invalid).reduce((sum, count) => sum + count, 0);
      expect(outcome).toMatchObject({ http: 200, code: 0, partial: { set: true, rejected } });
      expect(outcome?.partial?.message).toMatch(/items were rejected/);
      expect(stored.get(name)).toBe(good);
      expect(letters.get(name)).toEqual(invalid);
    },
  );
}

for (const signal of SIGNALS) {
  behaves(
    8,
    `an export of ${signal} of which no item can be stored is a partial success`,
    async ({ transport, wire }) => {
      const body =
        signal === 'metrics'
          ? histogramPoints('none', [{ timeUnixNano: 0n }])
          : oneItem(signal, 'none', { traceId: id(15) });
      const outcome = await wire.send(transport, { signal, body, key: stack.key(TENANT) });
      expect(outcome).toMatchObject({ http: 200, code: 0, partial: { set: true, rejected: 1 } });
    },
  );
}
