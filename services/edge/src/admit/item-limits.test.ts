import { gzipSync } from 'node:zlib';
import { createTotals, ITEM_FAULTS, Scanner } from '@weir/otlp';
import { Budget, type SignalKind, ZoneGauge } from '@weir/pipeline';
import { RejectedWalk } from '@weir/records';
import { ActiveSeries, effectiveTenant, type LimitOverrides, RateLimiter } from '@weir/tenancy';
import { encodeExport, FakeClock, RecordingConsumer } from '@weir/testkit';
import { describe, expect, test } from 'vitest';
import { EdgeQueue } from '../edge-queue.ts';
import type { AdmittedExport, Answer, RawExport } from '../exports.ts';
import { createAdmission } from './admission.ts';
import { itemLimits, rejectedMessage } from './item-limits.ts';

const { signal } = new AbortController();
const text = (key: string) => ({ key, value: { value: { case: 'stringValue' as const, value: 'v' } } });
const span = { traceId: new Uint8Array(16).fill(7), spanId: new Uint8Array(8).fill(9), startTimeUnixNano: 1n };
const long = { ...span, attributes: [text('long key')] };

function tenantWith(limits: LimitOverrides) {
  return effectiveTenant('acme', { keys: [], limits }, undefined);
}

function spansBody(...spans: object[]): Buffer {
  return Buffer.from(encodeExport('traces', { resourceSpans: [{ scopeSpans: [{ spans: spans as never }] }] }));
}

function metricsBody(...hosts: string[]): Buffer {
  const dataPoints = hosts.map((host) => ({ timeUnixNano: 1n, attributes: [text(host)] }));
  const metrics = [{ name: 'm', data: { case: 'gauge' as const, value: { dataPoints } } }];
  return Buffer.from(encodeExport('metrics', { resourceMetrics: [{ scopeMetrics: [{ metrics }] }] }));
}

function setUp() {
  const clock = new FakeClock();
  const next = new RecordingConsumer<AdmittedExport, Answer>(({ meta, rejectedItems, rejectedMessage: message }) => ({
    kind: 'accepted',
    acceptedItems: meta.items - rejectedItems,
    rejectedItems,
    ...(message === undefined ? {} : { message }),
  }));
  const counted: [string, number][] = [];
  const parts = {
    clock,
    limiter: new RateLimiter(clock),
    queue: new EdgeQueue(new Budget({ bytesMax: 1024 ** 2, itemsMax: 1_000 })),
    series: new ActiveSeries(clock, 1, { bytesMax: 1024 ** 2 }),
    pipeFill: () => ({ fill: 0, retryAfterS: 1, reason: 'sink_full' as const }),
    pipeZone: new ZoneGauge(),
    shares: { ofLimits: () => ({ items: 1, bytes: 1 }), takeOfPipe: () => undefined, giveBack: () => undefined },
    bodyBytesMax: 1024 ** 2,
    onRejected: (_signal: SignalKind, fault: string, items: number) => void counted.push([fault, items]),
  };
  const admission = createAdmission(parts, next);
  const send = (body: Buffer, limits: LimitOverrides, fields: Partial<RawExport> = {}) => {
    const base = { signal: 'traces', transport: 'http', format: 'protobuf', encoding: 'identity' } as const;
    return admission.consume({ ...base, tenant: tenantWith(limits), body, ownsBody: false, ...fields }, signal);
  };
  return { send, next, counted };
}

function codesOf({ meta }: AdmittedExport): number[] {
  const walk = new RejectedWalk();
  walk.open(meta.rejected);
  return Array.from({ length: meta.items }, () => walk.next());
}

const KEY_TOO_LONG = ITEM_FAULTS.indexOf('key_too_long') + 1;

describe('items over a limit of their tenant', () => {
  test('are counted in the answer, and the record says which they are; what cannot be stored anyway it does not', async () => {
    const { send, next, counted } = setUp();
    const invalid = { ...span, traceId: new Uint8Array(16) };
    const answer = await send(spansBody(span, long, invalid, long), { attributes: { keyBytes: 4 } });
    expect(answer).toMatchObject({ kind: 'accepted', acceptedItems: 1, rejectedItems: 3 });
    expect(answer).toMatchObject({ message: expect.stringContaining("2 key_too_long (an attribute's key is longer") });
    expect(codesOf(next.items[0]!)).toEqual([0, KEY_TOO_LONG, 0, KEY_TOO_LONG]);
    expect(counted).toEqual([
      ['invalid_trace_id', 1],
      ['key_too_long', 2],
    ]);
  });

  test('are looked for by the limits of the moment', async () => {
    const { send, next } = setUp();
    await send(spansBody(long), { attributes: { keyBytes: 4 } });
    await send(spansBody(long), {});
    expect(next.items.map(({ meta }) => meta.rejected === undefined)).toEqual([false, true]);
  });

  test('of new series are rejected by the tenant’s own count, over all its exports', async () => {
    const { send } = setUp();
    const limits = { activeSeries: 2 };
    const metrics = { signal: 'metrics' as const };
    expect(await send(metricsBody('a', 'b', 'a'), limits, metrics)).toMatchObject({ rejectedItems: 0 });
    expect(await send(metricsBody('b', 'c'), limits, metrics)).toMatchObject({ acceptedItems: 1, rejectedItems: 1 });
    expect(await send(metricsBody('c'), { activeSeries: 'none' }, metrics)).toMatchObject({ rejectedItems: 0 });
  });
});

test('a window of times is around the receipt, and open where there is none', () => {
  const receivedAtNs = 1_000_000_000_000_000n;
  const of = (timeWindow: { past?: string; future?: string }) =>
    itemLimits(tenantWith({ timeWindow }), 'traces', receivedAtNs, undefined);
  expect(of({ past: '1s', future: '2s' })).toMatchObject({ timeMinNs: 999_999e9, timeMaxNs: 1_000_002e9 });
  expect(of({})).toMatchObject({ timeMinNs: -Infinity, timeMaxNs: Infinity });
});

test('every fault has a text', () => {
  const totals = createTotals();
  new Scanner().scan('traces', spansBody(span), 1e9, totals);
  expect(rejectedMessage(totals, tenantWith({}).limits)).toBeUndefined();
  totals.rejected.fill(1);
  totals.rejectedItems = ITEM_FAULTS.length;
  const message = rejectedMessage(totals, tenantWith({}).limits);
  for (const fault of ITEM_FAULTS) expect(message).toContain(`1 ${fault} (`);
});

test('a request that inflates to more than its tenant may send is too large, for that tenant only', async () => {
  const { send } = setUp();
  const gzip = { encoding: 'gzip' as const };
  const body = spansBody({ ...span, name: 'n'.repeat(5_000) });
  const small = { requestBytes: 1_000 };
  const refused = { kind: 'refused', reason: 'too_large', message: expect.stringContaining('larger than 1000 bytes') };
  expect(await send(gzipSync(body), small, gzip)).toEqual(refused);
  expect(await send(body, small)).toEqual(refused);
  expect(await send(gzipSync(body), {}, gzip)).toMatchObject({ kind: 'accepted' });
});
