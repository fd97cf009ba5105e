import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { deflateSync, gunzipSync, gzipSync, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { Budget, type RefusalReason, refuse, type SignalKind, ZoneGauge } from '@weir/pipeline';
import { effectiveTenant, RateLimiter, WHOLE } from '@weir/tenancy';
import { encodeExport, encodeJsonExport, FakeClock, RecordingConsumer, RefusingConsumer } from '@weir/testkit';
import { compressSync } from 'snappy';
import { describe, expect, test } from 'vitest';
import { EdgeQueue } from '../edge-queue.ts';
import type { AdmittedExport, Answer, RawExport, Shares } from '../exports.ts';
import { LIMITS } from '../limits.ts';
import { createAdmission } from './admission.ts';

const { signal } = new AbortController();
/** Makes exports of 50 spans long enough to be compressed alone. */
const LONG_NAME = 'n'.repeat(LIMITS.compressBytesMin / 50);
const STATUS_ERROR = 2;

function spans(count: number, fields: object = {}) {
  const traceId = new Uint8Array(16).fill(7);
  const span = { traceId, spanId: new Uint8Array(8).fill(9), name: 'call', startTimeUnixNano: 1n, ...fields };
  return { resourceSpans: [{ scopeSpans: [{ spans: Array.from({ length: count }, () => span) }] }] };
}

const plainSpans = encodeExport('traces', spans(10, { endTimeUnixNano: 2n }) as never);
const errorSpans = encodeExport('traces', spans(10, { status: { code: STATUS_ERROR } }) as never);
const slowSpans = encodeExport('traces', spans(10, { endTimeUnixNano: 2_000_000_001n }) as never);
const tenant = effectiveTenant('acme', { keys: [], limits: { items: { perSecond: 100, burst: 100 } } }, undefined);
const generous = { items: { perSecond: 1e6 }, bytes: { perSecond: 1e9 } };
const unlimited = effectiveTenant('acme', { keys: [], limits: generous }, undefined);

function export_(body: Uint8Array, fields: Partial<RawExport> = {}): RawExport {
  const base = { tenant, signal: 'traces', transport: 'http', format: 'protobuf', encoding: 'identity' } as const;
  return { ...base, ownsBody: false, body: Buffer.from(body), ...fields };
}

/** The gzip of some spans after at least `bytes` of members that hold nothing. */
function gzipMembers(bytes: number): Buffer {
  const empty = gzipSync(Buffer.alloc(0));
  return Buffer.concat([Buffer.alloc(Math.ceil(bytes / empty.length) * empty.length, empty), gzipSync(plainSpans)]);
}

/** A zstd frame of `bytes` that decoders pass over. */
function skippedFrame(bytes: number): Buffer {
  const frame = Buffer.alloc(8 + bytes);
  frame.writeUInt32LE(0x184d2a50, 0);
  frame.writeUInt32LE(bytes, 4);
  return frame;
}

/** A scope of spans with nothing in them, each of two bytes. */
function emptySpans(count: number): Buffer {
  const length = (bytes: number) => [(bytes & 0x7f) | 0x80, ((bytes >> 7) & 0x7f) | 0x80, bytes >> 14];
  const scope = Buffer.concat([Buffer.from([0x12, ...length(2 * count)]), Buffer.alloc(2 * count, Buffer.of(0x12, 0))]);
  return Buffer.concat([Buffer.from([0x0a, ...length(scope.length)]), scope]);
}

/** More spans than a queue of 1,000 holds, in nearly so many bytes. */
function manySpans(bytes: number): Buffer {
  const name = 'n'.repeat(Math.floor(bytes / 1_001) - 100);
  return Buffer.from(encodeExport('traces', spans(1_001, { name }) as never));
}

interface SetUp {
  fill?: number;
  retryAfterS?: number;
  itemsMax?: number;
  bytesMax?: number;
  shares?: Partial<Shares>;
}

const UNSHARED: Shares = { ofLimits: () => WHOLE, takeOfPipe: () => undefined, giveBack: () => undefined };

function setUp(options: SetUp = {}) {
  const { fill = 0, retryAfterS = 1, itemsMax = 1_000, bytesMax = 1024 ** 2 } = options;
  const shares = { ...UNSHARED, ...options.shares };
  const reason = 'sink_full' as const;
  const clock = new FakeClock();
  const limiter = new RateLimiter(clock);
  const budget = new Budget({ bytesMax, itemsMax });
  const next = new RecordingConsumer<AdmittedExport, Answer>(({ meta, rejectedItems }) => {
    held.push(budget.items);
    return { kind: 'accepted', acceptedItems: meta.items - rejectedItems, rejectedItems };
  });
  const held: number[] = [];
  const rejected: [string, number][] = [];
  const parts = {
    clock,
    limiter,
    queue: new EdgeQueue(budget),
    pipeFill: () => ({ fill, retryAfterS, reason }),
    pipeZone: new ZoneGauge(),
    shares,
    bodyBytesMax: 1024 ** 2,
    onRejected: (_signal: SignalKind, fault: string, items: number) => rejected.push([fault, items]),
  };
  const admission = createAdmission(parts, next);
  return { admission, parts, budget, clock, next, held, rejected };
}

async function reasonOf(fill: { fill?: number; itemsMax?: number }, body: Uint8Array, inQueue = 0) {
  const { admission, budget } = setUp(fill);
  budget.tryTake(0, inQueue);
  const answer = await admission.consume(export_(body), signal);
  return answer.kind === 'refused' ? answer.reason : 'accepted';
}

describe('an export that is admitted', () => {
  test('goes on with what the scan found, holding room for its items until it is answered', async () => {
    const { admission, next, held, budget } = setUp();
    const answer = await admission.consume(export_(plainSpans), signal);
    expect(answer).toMatchObject({ kind: 'accepted', acceptedItems: 10, items: 10 });
    expect(next.items[0]?.meta).toMatchObject({ tenant: 'acme', signal: 'traces', items: 10, priority: false });
    expect(next.items[0]?.meta.bytes).toBe(plainSpans.length);
    expect([held, budget.items]).toEqual([[10], 0]);
  });

  test('gives back the memory of its body, which what goes on is no part of; that of another stays', async () => {
    const large = encodeExport('traces', spans(10, { endTimeUnixNano: 2n, name: 'n'.repeat(20_000) }) as never);
    const { admission, next, budget } = setUp();
    const send = async (bytes: Uint8Array, fields: Partial<RawExport>) => {
      const body = Buffer.from(bytes);
      const sent = { ...export_(body, { tenant: unlimited, ...fields }), body };
      expect(await admission.consume(sent, signal)).toMatchObject({ acceptedItems: 10, bytes: large.length });
      const { value, meta } = next.items.at(-1)!;
      const plain = meta.encoding === 'gzip' ? gunzipSync(value) : zstdDecompressSync(value);
      expect(plain.equals(large)).toBe(true);
      return body.length;
    };
    for (const size of [3_500, 50_000]) {
      const bytes = encodeExport('traces', spans(10, { endTimeUnixNano: 2n, name: 'n'.repeat(size) }) as never);
      const each = { deflate: deflateSync, gzip: gzipSync, snappy: compressSync, zstd: zstdCompressSync } as const;
      for (const [encoding, compress] of Object.entries(each)) {
        const sent = Buffer.from(compress(bytes));
        await admission.consume(
          { ...export_(sent, { tenant: unlimited }), encoding: encoding as keyof typeof each },
          signal,
        );
        const { value, meta } = next.items.at(-1)!;
        expect((meta.encoding === 'gzip' ? gunzipSync(value) : zstdDecompressSync(value)).equals(bytes)).toBe(true);
      }
    }
    const zipped = gzipSync(large);
    expect(await send(large, { ownsBody: true })).toBe(0);
    expect(await send(large, { ownsBody: false })).toBe(large.length);
    expect(await send(zipped, { encoding: 'gzip', ownsBody: true })).toBe(zipped.length);
    expect(budget.bytes).toBe(0);
  });

  test('goes on with the bytes that its client compressed', async () => {
    const { admission, next } = setUp();
    const body = gzipSync(plainSpans);
    await admission.consume(export_(body, { encoding: 'gzip' }), signal);
    expect(next.items[0]?.meta.encoding).toBe('gzip');
    expect(gunzipSync(next.items[0]!.value).equals(plainSpans)).toBe(true);
    expect(next.items[0]?.value.equals(body)).toBe(true);
  });

  test.each<['gzip' | 'zstd', string, Buffer]>([
    ['gzip', 'members with nothing in them', gzipMembers(LIMITS.recordBytesMax)],
    ['gzip', 'fewer such members, which fit a record', gzipMembers(LIMITS.forwardSlackBytes * 2)],
    [
      'zstd',
      'a frame to be skipped',
      Buffer.concat([skippedFrame(LIMITS.recordBytesMax), zstdCompressSync(plainSpans)]),
    ],
  ])('is compressed anew where its %s is longer than what is in it: %s', async (encoding, _what, body) => {
    const { admission, next } = setUp();
    expect(await admission.consume(export_(body, { encoding }), signal)).toMatchObject({ acceptedItems: 10 });
    const { meta, value } = next.items[0]!;
    expect(value.length).toBeLessThanOrEqual(plainSpans.length);
    expect((meta.encoding === 'zstd' ? zstdDecompressSync(value) : value).equals(plainSpans)).toBe(true);
  });

  test('is compressed when it came without, and becomes protobuf when it came as JSON', async () => {
    const { admission, next } = setUp();
    const large = encodeExport('traces', spans(50, { name: LONG_NAME }) as never);
    await admission.consume(export_(large), signal);
    const json = Buffer.from(encodeJsonExport('traces', large));
    await admission.consume(export_(json, { format: 'json' }), signal);
    for (const { meta, value } of next.items) {
      expect(meta).toMatchObject({ encoding: 'zstd', items: 50, bytes: large.length });
      expect(zstdDecompressSync(value).equals(large)).toBe(true);
    }
    expect(next.items).toHaveLength(2);
  });

  test('holds no more than its own bytes while it waits, however large they inflate', async () => {
    setFlagsFromString('--expose-gc');
    const gc: () => void = runInNewContext('gc');
    const { parts } = setUp({ itemsMax: 100_000 });
    const waiting: (() => void)[] = [];
    const accepted: Answer = { kind: 'accepted', acceptedItems: 1, rejectedItems: 0 };
    const stalled = { consume: () => new Promise<Answer>((done) => waiting.push(() => done(accepted))) };
    const plain = Buffer.from(encodeExport('traces', spans(200, { name: 'n'.repeat(4_000) }) as never));
    const body = gzipSync(plain);
    const admission = createAdmission(parts, stalled);
    gc();
    const before = process.memoryUsage().arrayBuffers;
    const answers = Array.from({ length: 50 }, () =>
      admission.consume(export_(body, { encoding: 'gzip', tenant: unlimited }), signal),
    );
    while (waiting.length < 50) await new Promise((resolve) => setImmediate(resolve));
    // V8 frees the memory of dead buffers on a thread of its own, some time after the collection.
    const held = () => {
      gc();
      return process.memoryUsage().arrayBuffers - before;
    };
    await expect.poll(held, { timeout: 10_000 }).toBeLessThan(10 * plain.length);
    for (const done of waiting) done();
    for (const answer of await Promise.all(answers)) expect(answer.kind).toBe('accepted');
  });

  test('with nothing in it is a success that Kafka never sees', async () => {
    const { admission, next } = setUp({ fill: 2 });
    const answer = await admission.consume(export_(Buffer.alloc(0)), signal);
    expect(answer).toEqual({ kind: 'accepted', acceptedItems: 0, rejectedItems: 0, items: 0 });
    expect(next.items).toHaveLength(0);
  });

  test('with no items takes its bytes from its tenant’s rate, where there are any, and is refused over it', async () => {
    const { admission, next, clock } = setUp();
    const slow = effectiveTenant('slow', { keys: [], limits: { bytes: { perSecond: 100, burst: 300 } } }, undefined);
    // Field 9 is none of an export's, so that it is passed over.
    const unknown = Buffer.concat([Buffer.from([0x4a, 98]), Buffer.alloc(98)]);
    const send = (body: Buffer) => admission.consume(export_(body, { tenant: slow }), signal);
    for (let i = 0; i < 3; i++) expect(await send(unknown)).toMatchObject({ kind: 'accepted', acceptedItems: 0 });
    const over = await send(unknown);
    expect(over).toMatchObject({ reason: 'tenant_bytes_rate', retryAfterS: 1, items: 0 });
    expect(over.bytes).toBeUndefined();
    expect(await send(Buffer.alloc(0))).toMatchObject({ kind: 'accepted' });
    await clock.advance(1_000);
    expect(await send(unknown)).toMatchObject({ kind: 'accepted' });
    expect(next.items).toHaveLength(0);
  });

  test('keeps its invalid items, which are counted by reason', async () => {
    const { admission, next, rejected } = setUp();
    const body = encodeExport('traces', spans(3, { traceId: new Uint8Array(16) }) as never);
    expect(await admission.consume(export_(body), signal)).toMatchObject({ acceptedItems: 0, rejectedItems: 3 });
    expect(rejected).toEqual([['invalid_trace_id', 3]]);
    expect(next.items[0]?.meta.items).toBe(3);
  });

  test('counts its invalid items by its own scan, and only where the next stage accepts it', async () => {
    const { parts, rejected } = setUp();
    const waiting: ((answer: Answer) => void)[] = [];
    const admission = createAdmission(parts, { consume: () => new Promise<Answer>((done) => waiting.push(done)) });
    const body = encodeExport('traces', spans(3, { traceId: new Uint8Array(16) }) as never);
    const answers = [body, body, plainSpans].map((each) => admission.consume(export_(each), signal));
    await expect.poll(() => waiting.length).toBe(3);
    expect(rejected).toEqual([]);
    waiting[0]!(refuse('kafka_unavailable', 'Kafka is away'));
    for (const done of waiting) done({ kind: 'accepted', acceptedItems: 0, rejectedItems: 3 });
    await Promise.all(answers);
    expect(rejected).toEqual([['invalid_trace_id', 3]]);
  });

  test('gives its room back when the next stage refuses it', async () => {
    const { parts, budget } = setUp();
    const refusing = createAdmission(parts, new RefusingConsumer<AdmittedExport>('kafka_unavailable'));
    expect(await refusing.consume(export_(plainSpans), signal)).toMatchObject({ kind: 'refused', items: 10 });
    expect(budget.items).toBe(0);
  });

  test('costs its tenant nothing of its rate or its share of the pipe when the next stage refuses it', async () => {
    let ofPipe = 0;
    const shares: Partial<Shares> = {
      takeOfPipe: (_tenant, bytes) => {
        ofPipe += bytes;
        return undefined;
      },
      giveBack: (_tenant, bytes) => {
        ofPipe -= bytes;
      },
    };
    const { parts } = setUp({ shares });
    const refusing = createAdmission(parts, new RefusingConsumer<AdmittedExport>('kafka_unavailable'));
    for (let i = 0; i < 11; i++) {
      expect(await refusing.consume(export_(plainSpans), signal)).toMatchObject({ reason: 'kafka_unavailable' });
    }
    expect(ofPipe).toBe(0);
    expect(parts.limiter.tryTake(tenant, 100, 1)).toBeUndefined();
  });
});

describe('what is full', () => {
  test.each<[string, number, Uint8Array, RefusalReason | 'accepted']>([
    ['below nine tenths everything is taken', 0.89, plainSpans, 'accepted'],
    ['from nine tenths ordinary exports wait', 0.9, plainSpans, 'sink_full'],
    ['from nine tenths errors pass', 0.99, errorSpans, 'accepted'],
    ['from nine tenths slow spans pass', 0.99, slowSpans, 'accepted'],
    ['at the bound nothing passes', 1, errorSpans, 'sink_full'],
  ])('in the sinks: %s', async (_what, fill, body, reason) => {
    expect(await reasonOf({ fill }, body)).toBe(reason);
  });

  test.each<[string, number, Uint8Array, RefusalReason | 'accepted']>([
    ['below nine tenths everything is taken', 89, plainSpans, 'accepted'],
    ['from nine tenths ordinary exports wait', 90, plainSpans, 'edge_full'],
    ['from nine tenths errors pass', 90, errorSpans, 'accepted'],
    ['where there is no room nothing passes', 91, errorSpans, 'edge_full'],
  ])('at the edge: %s', async (_what, inQueue, body, reason) => {
    expect(await reasonOf({ itemsMax: 100 }, body, inQueue)).toBe(reason);
  });

  test('is left again only well below where it began: in the sinks and at the edge', async () => {
    const { admission, parts, budget } = setUp({ itemsMax: 1_000 });
    let fill = 0;
    parts.pipeFill = () => ({ fill, reason: 'sink_full', retryAfterS: 1 });
    const reasonAt = async (pipeFill: number, inQueue: number) => {
      fill = pipeFill;
      parts.queue.take(unlimited, 0, 0, inQueue - budget.items);
      const answer = await admission.consume(export_(plainSpans, { tenant: unlimited }), signal);
      return answer.kind === 'refused' ? answer.reason : 'accepted';
    };
    const sinks = [0.89, 0.9, 0.86, 0.84, 0.89];
    const reasons: string[] = [];
    for (const pipeFill of sinks) reasons.push(await reasonAt(pipeFill, 0));
    expect(reasons).toEqual(['accepted', 'sink_full', 'sink_full', 'accepted', 'accepted']);
    budget.tryTake(0, 900);
    expect(await reasonAt(0, 900)).toBe('edge_full');
    budget.give(0, 40);
    expect(await reasonAt(0, 860)).toBe('edge_full');
    budget.give(0, 20);
    expect(await reasonAt(0, 840)).toBe('accepted');
  });

  test('at the edge: an export is judged by what others hold, not by its own bytes', async () => {
    const body = export_(plainSpans);
    const { admission, budget } = setUp({ bytesMax: body.body.length });
    budget.tryTake(body.body.length, 0);
    expect(await admission.consume(body, signal)).toMatchObject({ kind: 'accepted' });
    const busy = setUp({ bytesMax: 20 * body.body.length });
    busy.budget.tryTake(19 * body.body.length, 0);
    expect(await busy.admission.consume(body, signal)).toMatchObject({ reason: 'edge_full' });
  });

  test('at the edge: what is compressed anew takes room of its own while it waits', async () => {
    const { parts, budget } = setUp();
    const beside: number[] = [];
    const next = new RecordingConsumer<AdmittedExport, Answer>(({ meta, value }) => {
      beside.push(budget.bytes - value.length);
      return { kind: 'accepted', acceptedItems: meta.items, rejectedItems: 0 };
    });
    const admission = createAdmission(parts, next);
    const send = (body: Uint8Array, fields: Partial<RawExport> = {}) =>
      admission.consume(export_(body, { tenant: unlimited, ...fields }), signal);
    const large = encodeExport('traces', spans(50, { name: LONG_NAME, status: { code: STATUS_ERROR } }) as never);
    await send(large);
    await send(Buffer.from(encodeJsonExport('traces', large)), { format: 'json' });
    await send(deflateSync(large), { encoding: 'deflate' });
    expect([beside, budget.bytes, budget.items]).toEqual([[0, 0, 0], 0, 0]);
    const gzip = gzipSync(large);
    await send(gzip, { encoding: 'gzip' });
    expect(beside[3]).toBe(-gzip.length);
    budget.tryTake(budget.limits.bytesMax - 10, 0);
    expect(await send(gzip, { encoding: 'gzip' })).toMatchObject({ kind: 'accepted' });
    expect(await send(large)).toMatchObject({ reason: 'edge_full', items: 50 });
    expect([next.items.length, budget.items]).toEqual([5, 0]);
  });

  test('at the edge: so does what is too small to be compressed anew, but for the very bytes that came', async () => {
    const { parts, budget } = setUp();
    const held: number[] = [];
    const next = new RecordingConsumer<AdmittedExport, Answer>(({ meta, value }) => {
      held.push(budget.bytes, value.buffer.byteLength);
      return { kind: 'accepted', acceptedItems: meta.items, rejectedItems: 0 };
    });
    const admission = createAdmission(parts, next);
    const small = encodeExport('traces', spans(1) as never);
    const send = async (body: Buffer, fields: Partial<RawExport>) => {
      await admission.consume({ ...export_(body, { tenant: unlimited, ...fields }), body }, signal);
      return held.splice(0);
    };
    const alone = [small.length, small.length];
    expect(await send(deflateSync(small), { encoding: 'deflate' })).toEqual(alone);
    expect(await send(Buffer.from(encodeJsonExport('traces', small)), { format: 'json' })).toEqual(alone);
    const [beside] = await send(Buffer.from(small), {});
    expect(beside).toBe(0);
    expect(budget.bytes).toBe(0);
  });

  test('at the edge: more items than the queue ever holds are too many, whenever they come again', async () => {
    const { admission, parts } = setUp({ itemsMax: 9 });
    expect(await admission.consume(export_(errorSpans), signal)).toMatchObject({ reason: 'too_large', items: 10 });
    expect(parts.limiter.tryTake(tenant, 100, 1)).toBeUndefined();
  });

  test('says when to come back: as the drain allows, a whole number, never later than SDKs come back', async () => {
    for (const [retryAfterS, expected] of [
      [0.2, 1],
      [3.2, 4],
      [9_000, 5],
    ] as const) {
      const { admission } = setUp({ fill: 1, retryAfterS });
      expect(await admission.consume(export_(plainSpans), signal)).toMatchObject({ retryAfterS: expected });
    }
  });

  test('costs the tenant nothing of its rate', async () => {
    const { admission, parts } = setUp({ fill: 1 });
    for (let i = 0; i < 50; i++) await admission.consume(export_(plainSpans), signal);
    expect(parts.limiter.tryTake(tenant, 100, 1)).toBeUndefined();
  });
});

describe('an export that is refused', () => {
  test('as too large is JSON long before it is protobuf', async () => {
    const { parts, next } = setUp();
    const admission = createAdmission({ ...parts, bodyBytesMax: 64 * 1024 ** 2 }, next);
    const text = (bytes: number) => export_(Buffer.from(`{"x":"${'x'.repeat(bytes - 8)}"}`), { format: 'json' });
    expect(await admission.consume(text(LIMITS.jsonBytesMax), signal)).toMatchObject({ kind: 'accepted' });
    expect(await admission.consume(text(LIMITS.jsonBytesMax + 1), signal)).toMatchObject({ reason: 'too_large' });
    const objects = export_(gzipSync(`{"x":[${'{},'.repeat(1_000_000)}{}]}`), { format: 'json', encoding: 'gzip' });
    expect(await admission.consume(objects, signal)).toMatchObject({ reason: 'too_large' });
  });

  test('over its rate hears the limit and the usage, and passes after the time it was told', async () => {
    const { admission, clock, next } = setUp();
    for (let i = 0; i < 10; i++) await admission.consume(export_(plainSpans), signal);
    const over = await admission.consume(export_(plainSpans), signal);
    expect(over).toMatchObject({ kind: 'refused', reason: 'tenant_items_rate', retryAfterS: 1 });
    expect(over.kind === 'refused' && over.message).toMatch(/limited to 100 a second \(burst 100\), used \d+ a second/);
    expect(next.items).toHaveLength(10);
    await clock.advance(1_000);
    expect(await admission.consume(export_(plainSpans), signal)).toMatchObject({ kind: 'accepted' });
  });

  test.each<[string, Partial<RawExport>, Buffer, RefusalReason]>([
    ['protobuf that is cut short', {}, Buffer.from(plainSpans.subarray(0, 50)), 'malformed'],
    ['JSON that is none', { format: 'json' }, Buffer.from('{"resourceSpans":['), 'malformed'],
    ['gzip that is none', { encoding: 'gzip' }, Buffer.from('no gzip'), 'malformed'],
    ['a bomb', { encoding: 'gzip' }, gzipSync(Buffer.alloc(1024 ** 2 + 1)), 'too_large'],
  ])(
    'for its body takes nothing from the rate of items, or from the queue: %s',
    async (_what, fields, body, reason) => {
      const { admission, parts, budget, next } = setUp();
      expect(await admission.consume(export_(body, fields), signal)).toMatchObject({ kind: 'refused', reason });
      expect([budget.items, next.items.length]).toEqual([0, 0]);
      expect(parts.limiter.tryTake(tenant, 100, 1)).toBeUndefined();
    },
  );
});

describe('what was read in vain', () => {
  const MIB = 1024 ** 2;
  const metered = effectiveTenant(
    'metered',
    { keys: [], limits: { bytes: { perSecond: MIB, burst: 2 * MIB }, items: { perSecond: 1e9 } } },
    undefined,
  );
  const zeros = Buffer.alloc(MIB);
  const badCrc = gzipSync(zeros);
  badCrc.writeUInt32LE(1, badCrc.length - 8);

  test.each<[string, Partial<RawExport>, Buffer, RefusalReason]>([
    ['protobuf that is none, behind gzip', { encoding: 'gzip' }, gzipSync(zeros), 'malformed'],
    ['JSON that is none, behind gzip', { encoding: 'gzip', format: 'json' }, gzipSync(zeros), 'malformed'],
    ['a bomb', { encoding: 'gzip' }, gzipSync(Buffer.alloc(MIB + 1)), 'too_large'],
    ['gzip that is none in its end', { encoding: 'gzip' }, badCrc, 'malformed'],
    ['zstd that is cut short', { encoding: 'zstd' }, zstdCompressSync(zeros).subarray(0, -1), 'malformed'],
    ['empty items without end', { encoding: 'gzip' }, gzipSync(emptySpans(MIB / 2 - 8)), 'too_large'],
    ['more items than the queue holds', { encoding: 'gzip' }, gzipSync(manySpans(MIB)), 'too_large'],
  ])('is paid for: one after another is soon refused unread, %s', async (_what, fields, body, reason) => {
    const { admission, next } = setUp();
    const reasons: string[] = [];
    for (let i = 0; i < 40; i++) {
      const answer = await admission.consume(export_(body, { tenant: metered, ...fields }), signal);
      reasons.push(answer.kind === 'refused' ? answer.reason : answer.kind);
      // Where it was not read for items the books know of none.
      if (reason === 'malformed') expect([answer.items, answer.bytes]).toEqual([undefined, undefined]);
    }
    const read = reasons.indexOf('tenant_bytes_rate');
    // A tenant is far over its rate where it offers ten seconds of it at once.
    expect(read).toBeGreaterThan(2);
    expect(read).toBeLessThanOrEqual(22);
    expect(new Set(reasons.slice(0, read))).toEqual(new Set([reason]));
    expect(new Set(reasons.slice(read))).toEqual(new Set(['tenant_bytes_rate']));
    expect(next.items).toHaveLength(0);
  });

  test('is read and named for what it is where it comes within the rate', async () => {
    const { admission, clock } = setUp();
    const body = gzipSync(zeros);
    const send = (of: typeof metered) => admission.consume(export_(body, { tenant: of, encoding: 'gzip' }), signal);
    for (let i = 0; i < 60; i++) {
      await clock.advance(1_000);
      expect(await send(metered)).toMatchObject({ reason: 'malformed' });
    }
    for (let i = 0; i < 60; i++) expect(await send(unlimited)).toMatchObject({ reason: 'malformed' });
  });

  test('puts the bucket in debt by one body and no more, so that its tenant is served again soon', async () => {
    const { admission, clock, parts } = setUp();
    const send = (body: Uint8Array) => admission.consume(export_(body, { tenant: metered, encoding: 'gzip' }), signal);
    parts.limiter.tryTake(metered, 0, MIB / 2);
    for (let i = 0; i < 40; i++) await send(gzipSync(zeros));
    await clock.advance(400);
    expect(await send(gzipSync(plainSpans))).toMatchObject({ reason: 'tenant_bytes_rate' });
    await clock.advance(200);
    expect(await send(gzipSync(plainSpans))).toMatchObject({ kind: 'accepted' });
  });

  test('costs a tenant of a small rate no more than its burst', async () => {
    const { admission, clock } = setUp();
    const bytes = { perSecond: MIB / 64, burst: MIB / 32 };
    const modest = effectiveTenant('modest', { keys: [], limits: { bytes } }, undefined);
    const send = (body: Uint8Array) => admission.consume(export_(body, { tenant: modest, encoding: 'gzip' }), signal);
    expect(await send(gzipSync(zeros))).toMatchObject({ reason: 'malformed' });
    await clock.advance(500);
    expect(await send(gzipSync(plainSpans))).toMatchObject({ kind: 'accepted' });
  });

  test('is paid for where the next stage finds it too large', async () => {
    const ofPipe: number[] = [];
    const { parts } = setUp({ shares: { giveBack: (_tenant, bytes) => ofPipe.push(bytes) } });
    const admission = createAdmission(parts, new RefusingConsumer<AdmittedExport>('too_large'));
    const before = parts.limiter.tryTake(metered, 0, 2 * MIB - plainSpans.length);
    expect(before).toBeUndefined();
    expect(await admission.consume(export_(plainSpans, { tenant: metered }), signal)).toMatchObject({
      reason: 'too_large',
    });
    expect(parts.limiter.tryTake(metered, 0, 1)).toMatchObject({ what: 'bytes' });
    expect(ofPipe).toEqual([plainSpans.length]);
  });
});

describe('what is shared out', () => {
  test('a tenant above its share of a full pipe is refused for the one who is full, and comes again when both allow it', async () => {
    const { admission, parts, next } = setUp({ fill: 0.8, shares: { takeOfPipe: () => 4.2 } });
    const answer = await admission.consume(export_(plainSpans), signal);
    expect(answer).toMatchObject({ kind: 'refused', reason: 'sink_full', retryAfterS: 5, items: 10 });
    expect(answer.kind === 'refused' && answer.message).toContain('more than its fair share');
    expect(next.items).toHaveLength(0);
    expect(parts.limiter.tryTake(tenant, 100, 1)).toBeUndefined();
  });

  test('a refusal after the share was taken gives it back', async () => {
    const given: number[] = [];
    const taken: number[] = [];
    const shares: Partial<Shares> = {
      takeOfPipe: (_tenant, bytes) => void taken.push(bytes),
      giveBack: (_tenant, bytes) => given.push(bytes),
    };
    await setUp({ fill: 1, shares }).admission.consume(export_(plainSpans), signal);
    expect([taken, given]).toEqual([[plainSpans.length], [plainSpans.length]]);
  });

  test('an edge gives no more of a limit than its share', async () => {
    const { admission } = setUp({ shares: { ofLimits: () => ({ items: 0.3, bytes: 1 }) } });
    for (let i = 0; i < 3; i++) {
      expect(await admission.consume(export_(plainSpans), signal)).toMatchObject({ kind: 'accepted' });
    }
    const over = await admission.consume(export_(plainSpans), signal);
    expect(over).toMatchObject({ reason: 'tenant_items_rate', retryAfterS: 1 });
    expect(over.kind === 'refused' && over.message).toContain('limited to 100 a second');
  });

  test('a tenant far over its rate is refused unread: its body is not looked at, and its items are in no count', async () => {
    const { admission, clock } = setUp();
    const garbage = Buffer.alloc(plainSpans.length, 0xff);
    const send = (body: Uint8Array) => admission.consume(export_(body), signal);
    let last = await send(plainSpans);
    for (let i = 0; i < 300 || last.kind === 'accepted'; i++) {
      await clock.advance(10);
      last = await send(plainSpans);
    }
    const unread = await send(garbage);
    expect(unread).toMatchObject({ kind: 'refused', reason: 'tenant_items_rate', retryAfterS: 1 });
    expect([unread.items, unread.bytes]).toEqual([undefined, undefined]);
    expect(unread.unread?.items).toBeCloseTo(10, 3);
    // What the bucket has room for is read, and then it shows what it is.
    await clock.advance(1_000);
    expect(await send(garbage)).toMatchObject({ kind: 'refused', reason: 'malformed' });
  });
});
