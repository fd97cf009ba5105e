import { REFUSALS, type RefusalReason, SIGNALS } from '@weir/pipeline';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  DLQ_REASONS,
  decodeDlqMeta,
  decodeFlowReport,
  decodeNote,
  decodeRawMeta,
  decodeRowsMeta,
  ENCODINGS,
  encodeDlqMeta,
  encodeNote,
  encodeRawMeta,
  encodeRejectedItems,
  encodeRowsMeta,
  isNote,
  isTrack,
  RejectedWalk,
  TABLES,
  UsageTally,
} from './index.ts';
import { USAGE_OUTCOMES } from './usage.ts';

const id = fc.bigInt(0n, 2n ** 64n - 1n).map((n) => n.toString(16).padStart(16, '0'));
const offset = fc.nat(Number.MAX_SAFE_INTEGER);
const u32 = fc.nat(2 ** 32 - 1);
const ns = fc.bigInt(0n, 2n ** 63n);
const tenant = fc.stringMatching(/^[a-z][a-z0-9-]{0,40}$/);
const signal = fc.constantFrom(...SIGNALS);

const raw = fc.record({
  tenant,
  signal,
  encoding: fc.constantFrom(...ENCODINGS),
  priority: fc.boolean(),
  items: u32,
  bytes: u32,
  receivedAtNs: ns,
  edge: id,
  seq: offset,
});

const section = fc
  .record({
    lane: fc.nat(255),
    table: fc.constantFrom(...TABLES),
    rows: fc.integer({ min: 1, max: 2 ** 32 - 1 }),
    blockBytes: u32,
    a: fc.nat(500),
    b: fc.nat(500),
  })
  .map(({ a, b, ...rest }) => ({ ...rest, start: Math.min(a, b), end: Math.max(a, b) }));

const rows = fc.record({
  kind: fc.constant('rows' as const),
  epoch: offset,
  owner: id,
  rawFirst: offset,
  rawLast: offset,
  oldestReceivedAtNs: ns,
  sections: fc.array(section, { maxLength: 20 }),
  marks: fc.array(fc.record({ edge: id, seq: offset, seenMs: offset }), { maxLength: 20 }),
});

const fence = fc.record({ kind: fc.constant('fence' as const), epoch: offset, owner: id });

test('raw meta survives its round trip', () => {
  fc.assert(
    fc.property(raw, (meta) => {
      expect(decodeRawMeta(encodeRawMeta(meta))).toEqual({ ok: true, value: meta });
    }),
  );
});

test('rows meta and fences survive their round trip', () => {
  fc.assert(
    fc.property(fc.oneof(rows, fence), (meta) => {
      expect(decodeRowsMeta(encodeRowsMeta(meta), 500)).toEqual({ ok: true, value: meta });
    }),
  );
});

test('dead letters survive their round trip', () => {
  const meta = {
    tenant: 'acme',
    signal: 'logs' as const,
    reason: DLQ_REASONS[0],
    message: 'a "quoted"\n reason',
    items: 3,
    sourceTopic: 'weir.raw.v1',
    sourcePartition: 2,
    sourceOffset: 99,
    sourceIndex: 1,
    firstSeenNs: 1_700_000_000_000_000_001n,
  };
  expect(decodeDlqMeta(encodeDlqMeta(meta))).toEqual({ ok: true, value: meta });
  const ofRows = { ...meta, table: 'otel_logs' as const };
  expect(decodeDlqMeta(encodeDlqMeta(ofRows))).toEqual({ ok: true, value: ofRows });
  expect(decodeDlqMeta(encodeDlqMeta({ ...meta, table: 'no_table' as never })).ok).toBe(false);
});

test('no bytes at all make a decoder throw, and an unknown version is named', () => {
  const decoders = [decodeRawMeta, (b: Buffer) => decodeRowsMeta(b, 100), decodeDlqMeta, decodeFlowReport];
  const bytes = fc.uint8Array({ maxLength: 200 }).map((array) => Buffer.from(array));
  fc.assert(
    fc.property(bytes, (buffer) => {
      for (const decode of decoders) expect(typeof decode(buffer).ok).toBe('boolean');
    }),
    { numRuns: 2_000 },
  );
  for (const decode of decoders)
    expect(decode(Buffer.of(9, 0, 0))).toMatchObject({ ok: false, reason: 'unknown_version' });
});

test('cutting a record short is seen', () => {
  fc.assert(
    fc.property(rows, fc.nat(), (meta, cut) => {
      const whole = encodeRowsMeta(meta);
      const short = whole.subarray(0, cut % whole.length);
      expect(decodeRowsMeta(short, 500).ok).toBe(false);
    }),
  );
});

test('a section outside the value is refused', () => {
  const meta = { lane: 0, table: 'otel_logs' as const, rows: 1, blockBytes: 1, start: 0, end: 11 };
  const record = {
    kind: 'rows' as const,
    epoch: 1,
    owner: '00'.repeat(8),
    rawFirst: 0,
    rawLast: 0,
    oldestReceivedAtNs: 0n,
  };
  const bytes = encodeRowsMeta({ ...record, sections: [meta], marks: [] });
  expect(decodeRowsMeta(bytes, 11).ok).toBe(true);
  expect(decodeRowsMeta(bytes, 10)).toMatchObject({ ok: false, reason: 'corrupt_record' });
});

test.each(['v1', 'v2', 'v999'])('%s is a track', (name) => expect(isTrack(name)).toBe(true));
test.each(['', 'v0', 'v1000', 'V1', 'v1,v2', 'v1/..'])('%s is no track', (name) => expect(isTrack(name)).toBe(false));

test('a section without rows is no section', () => {
  const fixed = {
    kind: 'rows',
    epoch: 1,
    owner: '0'.repeat(16),
    rawFirst: 1,
    rawLast: 1,
    oldestReceivedAtNs: 1n,
  } as const;
  const section = { lane: 0, table: 'otel_logs', blockBytes: 1, start: 0, end: 1 } as const;
  const read = (count: number) =>
    decodeRowsMeta(encodeRowsMeta({ ...fixed, sections: [{ ...section, rows: count }], marks: [] }), 1);
  expect([read(1).ok, read(0).ok]).toEqual([true, false]);
});

const usage = fc.record({
  tenant,
  signal,
  minute: fc.nat(71_582_788),
  outcome: fc.constantFrom(...USAGE_OUTCOMES),
  reason: fc.constantFrom('' as const, ...(Object.keys(REFUSALS) as RefusalReason[])),
  items: offset,
  bytes: offset,
});
const note = fc.record({ edge: id, seq: offset, settled: fc.array(usage), doubtful: fc.array(usage) });

test('a note comes back as it was, and is not taken for an export', () => {
  fc.assert(
    fc.property(note, raw, (given, export_) => {
      const { meta, value } = encodeNote(given);
      expect(decodeNote(meta, value)).toEqual({ ok: true, value: given });
      expect([isNote(meta), isNote(encodeRawMeta(export_)), isNote(null)]).toEqual([true, false, false]);
      expect(decodeRawMeta(meta).ok).toBe(false);
      expect(decodeNote(encodeRawMeta(export_), value).ok).toBe(false);
    }),
  );
});

test('a note may take back what was accepted and dead-lettered, and nothing else', () => {
  const back = (outcome: (typeof USAGE_OUTCOMES)[number], reason: string) => {
    const one = { tenant: 'acme', signal: 'logs', minute: 1, outcome, reason, items: -2, bytes: 0 } as never;
    const { meta, value } = encodeNote({ edge: '0'.repeat(16), seq: 1, settled: [one], doubtful: [] });
    const decoded = decodeNote(meta, value);
    return decoded.ok && decoded.value.settled[0] !== undefined;
  };
  const taken = USAGE_OUTCOMES.filter((outcome) => back(outcome, ''));
  expect(taken).toEqual(['accepted', 'dead_lettered']);
  expect([back('dead_lettered', 'too_many_series'), back('dead_lettered', 'bad_luck')]).toEqual([true, false]);
});

test('a note that is damaged is unreadable', () => {
  const one = {
    tenant: 'acme',
    signal: 'traces',
    minute: 1,
    outcome: 'refused',
    reason: '',
    items: 1,
    bytes: 1,
  } as const;
  const { meta, value } = encodeNote({ edge: '0'.repeat(16), seq: 1, settled: [one], doubtful: [] });
  const reason = (header: Buffer | null, body: Buffer | null) => {
    const decoded = decodeNote(header, body);
    return decoded.ok ? 'ok' : decoded.reason;
  };
  expect(reason(meta, value)).toBe('ok');
  expect(reason(null, value)).toBe('unknown_version');
  expect(reason(Buffer.concat([Buffer.of(9), meta.subarray(1)]), value)).toBe('unknown_version');
  expect(reason(meta.subarray(0, -1), value)).toBe('corrupt_record');
  for (const text of [
    '',
    '[]',
    '[[],[1]]',
    '[[["acme",9,1,3,"",1,1]],[]]',
    '[[["acme",0,1,3,"no",1,1]],[]]',
    '[[["acme",0,1,3,"",-1,1]],[]]',
  ]) {
    expect(reason(meta, Buffer.from(text))).toBe('corrupt_record');
  }
});

test('a tally adds up what is of one kind', () => {
  const tally = new UsageTally();
  const one = {
    tenant: 'acme',
    signal: 'traces',
    minute: 1,
    outcome: 'refused',
    reason: 'edge_full',
    items: 2,
    bytes: 5,
  } as const;
  tally.add(one);
  tally.add(one);
  tally.add({ ...one, reason: 'sink_full' });
  tally.add({ ...one, tenant: 'other', items: 0, bytes: 0 });
  expect(tally.entries()).toEqual([
    { ...one, items: 4, bytes: 10 },
    { ...one, reason: 'sink_full' },
  ]);
});

const codes = fc
  .array(fc.tuple(fc.integer({ min: 1, max: 300 }), fc.constantFrom(0, 0, 1, 6, 127)), { maxLength: 20 })
  .map((runs) => Uint8Array.from(runs.flatMap(([count, code]) => Array<number>(count).fill(code))));

test('which items an edge has rejected goes with the raw record, item by item', () => {
  const walk = new RejectedWalk();
  fc.assert(
    fc.property(raw, codes, fc.nat(10), (meta, given, behind) => {
      const rejected = encodeRejectedItems(given);
      expect(rejected === undefined).toBe(given.every((code) => code === 0));
      const whole = { ...meta, items: given.length + behind, ...(rejected === undefined ? {} : { rejected }) };
      const decoded = decodeRawMeta(encodeRawMeta(whole));
      expect(decoded).toEqual({ ok: true, value: whole });
      walk.open(rejected);
      const read = Array.from({ length: given.length + behind }, () => walk.next());
      expect(read).toEqual([...given, ...Array<number>(behind).fill(0)]);
    }),
  );
});

test('rejected items that do not fit the record are seen, and no bytes make the walk over them throw', () => {
  const meta = { tenant: 'a', signal: 'logs', encoding: 'zstd', priority: false, bytes: 1, receivedAtNs: 1n } as const;
  const encoded = (items: number, rejected: Buffer) =>
    encodeRawMeta({ ...meta, edge: '0'.repeat(16), seq: 1, items, rejected });
  const three = encodeRejectedItems(Uint8Array.of(0, 5, 5))!;
  expect(decodeRawMeta(encoded(3, three)).ok).toBe(true);
  expect(decodeRawMeta(encoded(2, three))).toMatchObject({ ok: false, reason: 'corrupt_record' });
  for (const bytes of [
    [0, 0, 1],
    [0, 1, 0],
    [0, 1, 128],
    [0, 1],
    [0x80, 0x80, 0x80, 0x80, 0x80],
  ]) {
    expect(decodeRawMeta(encoded(3, Buffer.from(bytes))), `${bytes}`).toMatchObject({ ok: false });
  }
  const walk = new RejectedWalk();
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
      walk.open(Buffer.from(bytes));
      for (let item = 0; item < 300; item++) expect(walk.next()).toBeLessThan(128);
    }),
  );
});
