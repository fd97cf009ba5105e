import { randomBytes } from 'node:crypto';
import { gzipSync, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { EdgeMarks } from '@weir/delivery';
import { BlockRows } from '@weir/native';
import { ITEM_FAULTS } from '@weir/otlp';
import { encodeRejectedItems, laneOf, MIXED_LANE, rawPosition, TABLE_COLUMNS } from '@weir/records';
import { effectiveTenant, type Tenant } from '@weir/tenancy';
import { decodeExport, Engine, encodeExport } from '@weir/testkit';
import { describe, expect, test } from 'vitest';
import type { RawEntry, RawExport } from './exports.ts';
import { LIMITS } from './limits.ts';
import { Normalizer } from './normalizer.ts';

const SOURCE = { track: 'v1', partition: 3 };
const EDGE = '0123456789abcdef';
const NO_EVENTS = {
  received: () => undefined,
  repeated: () => undefined,
  written: () => undefined,
  renamed: () => undefined,
};
const TENANT = { name: 'acme', limits: { retentionDays: 30 } } as Tenant;

function spans(count: number, resourceBytes: number): Buffer {
  const attributes = [
    {
      key: 'k',
      value: { value: { case: 'stringValue' as const, value: randomBytes(resourceBytes / 2).toString('hex') } },
    },
  ];
  const items = Array.from({ length: count }, (_, i) => ({
    traceId: new Uint8Array(16).fill(1),
    spanId: new Uint8Array(8).fill(i + 1),
    name: 'op',
    startTimeUnixNano: 1_795_237_200_000_000_000n,
    endTimeUnixNano: 1_795_237_200_000_000_001n,
  }));
  const request = { resourceSpans: [{ resource: { attributes }, scopeSpans: [{ spans: items }] }] };
  return Buffer.from(encodeExport('traces', request));
}

function raw(offset: number, value: Buffer, tenant = 'acme', seq = offset): RawEntry {
  return {
    kind: 'export',
    offset,
    appendedMs: 1_000 + offset,
    meta: {
      tenant,
      signal: 'traces',
      encoding: 'identity',
      priority: false,
      items: 1,
      bytes: value.length,
      receivedAtNs: 1_795_237_200_000_000_000n,
      edge: EDGE,
      seq,
    },
    value,
  };
}

function create() {
  const counted = { received: 0, repeated: 0, written: 0, renamed: 0, dead: [] as string[] };
  const normalizer = new Normalizer((name) => (name === 'acme' ? TENANT : undefined), {
    received: () => void counted.received++,
    repeated: () => void counted.repeated++,
    written: (_signal, items) => {
      counted.written += items;
    },
    renamed: (_signal, names) => {
      counted.renamed += names;
    },
    deadLettered: (reason, items) => void counted.dead.push(`${reason} ${items}`),
  });
  return { normalizer, counted };
}

test('what cannot be stored is dead-lettered by its reason and the rest of the run is written', () => {
  const { normalizer, counted } = create();
  const poison: RawEntry = {
    kind: 'poison',
    offset: 11,
    reason: 'unknown_version',
    message: 'version 9',
    value: Buffer.of(1),
  };
  const good = spans(2, 16);
  const entries = [raw(10, good), poison, raw(12, good, 'nobody'), raw(13, Buffer.of(10, 255)), raw(14, good)];
  const { next, done } = normalizer.run(entries, 0, new EdgeMarks(), SOURCE);
  expect(next).toBe(5);
  expect([done.rawFirst, done.rawLast, done.rows]).toEqual([10, 14, 4]);
  expect(done.dead.map(({ offset, reason }) => [offset, reason])).toEqual([
    [11, 'unknown_version'],
    [12, 'unknown_tenant'],
    [13, 'undecodable_body'],
  ]);
  expect(counted).toEqual({
    received: 3,
    repeated: 0,
    renamed: 0,
    written: 4,
    dead: ['unknown_version 1', 'unknown_tenant 1', 'undecodable_body 1'],
  });
});

test('the edge has the last word on limits, whatever they are by now', () => {
  const limits = { attributes: { keyBytes: 4, perItem: 1 }, timeWindow: { past: '1ns' } };
  const tenant = effectiveTenant('acme', { keys: [], limits }, undefined);
  const letters: string[] = [];
  const normalizer = new Normalizer(() => tenant, {
    ...NO_EVENTS,
    deadLettered: (...one) => letters.push(one.join(' ')),
  });
  const body = spans(3, 16);
  const taken = raw(0, body) as RawExport;
  const codes = Uint8Array.of(0, ITEM_FAULTS.indexOf('key_too_long') + 1);
  const limited = {
    ...taken,
    offset: 1,
    meta: { ...taken.meta, seq: 1, items: 3, rejected: encodeRejectedItems(codes) },
  };
  const { done } = normalizer.run(
    [{ ...taken, meta: { ...taken.meta, items: 3 } }, limited],
    0,
    new EdgeMarks(),
    SOURCE,
  );
  expect([done.rows, letters]).toEqual([5, ['key_too_long 1']]);
  const [letter] = done.dead;
  expect([letter?.offset, letter?.message]).toEqual([1, 'the items are over a limit of the tenant']);
  const [resource] = decodeExport('traces', letter!.value).resourceSpans;
  expect(resource?.scopeSpans[0]?.spans.map(({ spanId }) => spanId[0])).toEqual([2]);
});

test('a repeated append of an edge is covered and writes nothing', () => {
  const { normalizer, counted } = create();
  const body = spans(1, 16);
  const { done } = normalizer.run([raw(0, body, 'acme', 4), raw(1, body, 'acme', 4)], 0, new EdgeMarks(), SOURCE);
  expect([done.rawFirst, done.rawLast, done.rows]).toEqual([0, 1, 1]);
  expect(counted.repeated).toBe(1);
});

test('every row says which raw record it comes from', async () => {
  const { normalizer } = create();
  const entries = [raw(7, spans(2, 16)), raw(2 ** 40 + 9, spans(1, 16))];
  const { done } = normalizer.run(entries, 0, new EdgeMarks(), SOURCE);
  const [section] = done.sections;
  const block = zstdDecompressSync(done.value.subarray(section!.start, section!.end));
  const engine = await Engine.open();
  try {
    const rows = engine.readBlock(block, 'RawPosition');
    const [first, second] = [7, 2 ** 40 + 9].map((offset) => String(rawPosition('v1', 3, offset)));
    expect(rows.map(({ RawPosition }) => RawPosition)).toEqual([first, first, second]);
  } finally {
    engine.close();
  }
});

/** Large enough for its memory to be given back. */
const LARGE_BYTES = 300_000;

test.each([
  ['gzip', gzipSync],
  ['zstd', zstdCompressSync],
] as const)(
  'what was inflated from %s is given back, and its rows are those of the same bytes as they are',
  (encoding, compress) => {
    const bodies = [spans(3, LARGE_BYTES), spans(2, LARGE_BYTES)];
    const run = (values: readonly Buffer[], as: RawExport['meta']['encoding']) => {
      const entries = values.map((value, at) => {
        const entry = raw(at, value) as RawExport;
        return { ...entry, meta: { ...entry.meta, encoding: as, bytes: bodies[at]!.length } };
      });
      const { done } = create().normalizer.run(entries, 0, new EdgeMarks(), SOURCE);
      return done.sections.map(({ start, end }) => zstdDecompressSync(done.value.subarray(start, end)));
    };
    expect(
      run(
        bodies.map((body) => compress(body)),
        encoding,
      ),
    ).toEqual(run(bodies, 'identity'));
    // What came as it is is the log's page, which more may be read from.
    expect(bodies.every(({ length }) => length > LARGE_BYTES)).toBe(true);
  },
);

test('letters keep the bytes that were inflated', () => {
  const good = spans(1, LARGE_BYTES);
  const bad = encodeExport('traces', {
    resourceSpans: [{ scopeSpans: [{ spans: [{ name: 'x'.repeat(LARGE_BYTES) }] }] }],
  });
  const body = Buffer.concat([good, bad]);
  const entry = raw(0, zstdCompressSync(body)) as RawExport;
  const meta = { ...entry.meta, encoding: 'zstd' as const, bytes: body.length, items: 2 };
  const { done } = create().normalizer.run([{ ...entry, meta }], 0, new EdgeMarks(), SOURCE);
  expect([done.rows, done.dead.length]).toEqual([1, 1]);
  const [resource] = decodeExport('traces', done.dead[0]!.value).resourceSpans;
  expect(resource?.scopeSpans[0]?.spans[0]?.name).toHaveLength(LARGE_BYTES);
});

test('each section is one zstd frame of the value', () => {
  const { normalizer } = create();
  const { done } = normalizer.run([raw(0, spans(3, 16))], 0, new EdgeMarks(), SOURCE);
  expect(done.sections.map(({ table, rows }) => [table, rows])).toEqual([
    ['otel_traces', 3],
    ['weir_usage', 2],
  ]);
  for (const { start, end, blockBytes } of done.sections) {
    expect(zstdDecompressSync(done.value.subarray(start, end))).toHaveLength(blockBytes);
  }
});

describe('rows of several days and retentions', () => {
  const tenants = { week: 7, month: 30, quarter: 90, year: 365 } as const;
  const DAY_NS = 86_400_000_000_000n;

  function lanes(entries: readonly RawEntry[]) {
    const normalizer = new Normalizer(
      (name) => ({ name, limits: { retentionDays: tenants[name as keyof typeof tenants] } }) as Tenant,
      { ...NO_EVENTS, deadLettered: () => undefined },
    );
    const { next, done } = normalizer.run(entries, 0, new EdgeMarks(), SOURCE);
    const sections = done.sections.filter(({ table }) => table === 'otel_traces');
    const blocks = sections.map(({ start, end }) => zstdDecompressSync(done.value.subarray(start, end)));
    return { next, sections, blocks };
  }

  function later(entry: RawEntry): RawEntry {
    const { meta, ...rest } = entry as RawExport;
    return { ...rest, meta: { ...meta, receivedAtNs: meta.receivedAtNs + DAY_NS } };
  }

  test('are blocks of their own, and what is too little for one is mixed', () => {
    const [large, small] = [spans(3, 2 * LIMITS.laneBodyBytesMin), spans(2, 16)];
    const entries = [
      raw(0, small, 'quarter'),
      raw(1, large, 'month'),
      raw(2, small, 'year'),
      raw(3, large, 'week'),
      later(raw(4, large, 'month')),
      raw(5, small, 'month'),
      raw(6, small, 'quarter'),
    ];
    const { next, sections, blocks } = lanes(entries);
    expect(next).toBe(entries.length);
    const day = Number(1_795_237_200_000_000_000n / DAY_NS);
    const expected = [
      { lane: MIXED_LANE, of: [90, 90, 365, 365, 90, 90].map((retention) => [retention, day]) },
      { lane: laneOf(day, 30), of: Array.from({ length: 5 }, () => [30, day]) },
      { lane: laneOf(day, 7), of: Array.from({ length: 3 }, () => [7, day]) },
      { lane: laneOf(day + 1, 30), of: Array.from({ length: 3 }, () => [30, day + 1]) },
    ];
    const rows = blocks.map((block) => BlockRows.read(block, TABLE_COLUMNS.otel_traces)!);
    expect(sections.map(({ lane }) => lane)).toEqual(expected.map(({ lane }) => lane));
    for (const [at, { of }] of expected.entries()) {
      const tenantsOf = Array.from({ length: rows[at]!.count }, (_, row) => rows[at]!.text('TenantId', row));
      const days = Array.from({ length: rows[at]!.count }, (_, row) => rows[at]!.day('ReceivedDay', row));
      expect(tenantsOf.map((name, row) => [tenants[name as keyof typeof tenants], days[row]])).toEqual(of);
    }
  });

  test('are one block where there is one of them, or too little of all', () => {
    const small = spans(2, 16);
    const day = Number(1_795_237_200_000_000_000n / DAY_NS);
    expect(lanes([raw(0, small, 'week'), raw(1, small, 'week')]).sections).toMatchObject([
      { lane: laneOf(day, 7), rows: 4 },
    ]);
    expect(lanes([raw(0, small, 'week'), raw(1, small, 'year')]).sections).toMatchObject([
      { lane: MIXED_LANE, rows: 4 },
    ]);
  });

  test('are bounded together, whichever lane comes first in the log', () => {
    const body = spans(250, 40_000);
    const names = ['week', 'month', 'quarter'];
    const entries = Array.from({ length: 12 }, (_, at) => raw(at, body, names[at % 3 === 0 ? 0 : 1 + (at % 2)]!));
    let rows = 0;
    for (let from = 0; from < entries.length; ) {
      const { next, sections } = lanes(entries.slice(from));
      expect(next).toBeGreaterThan(0);
      const blockBytes = sections.reduce((sum, section) => sum + section.blockBytes, 0);
      expect(blockBytes).toBeLessThan(LIMITS.recordBlockBytesMax + 16 * 1024 ** 2);
      rows += sections.reduce((sum, section) => sum + section.rows, 0);
      from += next;
    }
    expect(rows).toBe(3_000);
  });
});

test('a page of small exports that repeat a large resource becomes several records, each bounded', () => {
  const { normalizer } = create();
  const body = spans(250, 40_000);
  const entries = Array.from({ length: 12 }, (_, offset) => raw(offset, body));
  const marks = new EdgeMarks();
  let from = 0;
  let rows = 0;
  for (let records = 0; from < entries.length; records++) {
    const { next, done } = normalizer.run(entries, from, marks, SOURCE);
    const blockBytes = done.sections.reduce((sum, section) => sum + section.blockBytes, 0);
    expect([records, blockBytes < LIMITS.recordBlockBytesMax + 16 * 1024 ** 2, done.dead]).toEqual([records, true, []]);
    expect(done.rawFirst).toBe(from);
    rows += done.rows;
    from = next;
  }
  expect(rows).toBe(3_000);
});

test('an export whose rows fit no record is dead-lettered, its neighbours are written, and nothing is counted twice', () => {
  const { normalizer, counted } = create();
  // Rows repeat the resource, and at 600 KB apart zstd's window does not see it again: 60 MB of rows out of 600 KB.
  const huge = spans(100, 600_000);
  const entries = [raw(0, spans(1, 16)), raw(1, huge), raw(2, spans(2, 16))];
  const marks = new EdgeMarks();
  const dead: number[] = [];
  let rows = 0;
  let from = 0;
  let last = -1;
  while (from < entries.length) {
    const { next, done } = normalizer.run(entries, from, marks, SOURCE);
    expect(done.rawFirst).toBe(last + 1);
    expect(done.value.length).toBeLessThanOrEqual(LIMITS.recordValueBytesMax);
    last = done.rawLast;
    rows += done.rows;
    for (const { offset, reason } of done.dead) dead.push(offset) && expect(reason).toBe('rows_rejected');
    from = next;
  }
  expect({ rows, dead, last }).toEqual({ rows: 3, dead: [1], last: 2 });
  expect(counted).toEqual({ received: 3, repeated: 0, renamed: 0, written: 3, dead: ['rows_rejected 1'] });
});

function note(offset: number, seq: number): RawEntry {
  const row = {
    tenant: 'acme',
    signal: 'traces',
    minute: 29_920_620,
    outcome: 'refused',
    items: 5,
    bytes: 50,
  } as const;
  const settled = [{ ...row, reason: 'tenant_items_rate' as const }];
  const doubtful = [{ ...row, reason: 'kafka_unavailable' as const }];
  return { kind: 'note', offset, appendedMs: 1_000 + offset, note: { edge: EDGE, seq, settled, doubtful } };
}

test.each<[string, RawEntry[], string[]]>([
  [
    'before the note were taken, and the client has no answer',
    [raw(1, spans(1, 16), 'acme', 0), note(2, 1)],
    ['accepted  1', 'refused tenant_items_rate 5', 'stored  1', 'unanswered  5'],
  ],
  [
    'are not before the note never are',
    [note(2, 1), raw(3, spans(1, 16), 'acme', 0)],
    ['refused kafka_unavailable 5', 'refused tenant_items_rate 5'],
  ],
  [
    'were told of twice are booked once',
    [note(2, 1), note(3, 1)],
    ['refused kafka_unavailable 5', 'refused tenant_items_rate 5'],
  ],
])('records in doubt that %s', async (_what, entries, booked) => {
  const { normalizer } = create();
  const { done } = normalizer.run(entries, 0, new EdgeMarks(), SOURCE);
  expect([done.rawFirst, done.rawLast]).toEqual([entries[0]!.offset, entries.at(-1)!.offset]);
  const section = done.sections.find(({ table }) => table === 'weir_usage')!;
  const block = zstdDecompressSync(done.value.subarray(section.start, section.end));
  const engine = await Engine.open();
  try {
    const rows = engine.readBlock(block, 'Outcome, Reason, Items');
    expect(rows.map(({ Outcome, Reason, Items }) => `${Outcome} ${Reason} ${Items}`).toSorted()).toEqual(booked);
  } finally {
    engine.close();
  }
});
