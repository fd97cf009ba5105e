import { bootstrapStatements, MIGRATIONS } from '@weir/clickhouse';
import { SIGNALS, type SignalKind } from '@weir/pipeline';
import { TABLE_COLUMNS, TABLES, type TableName } from '@weir/records';
import {
  decodeExport,
  decodeJsonExport,
  Engine,
  type ExpectedRow,
  encodeExport,
  exactSelect,
  expectedRows,
  exportRequest,
  type OracleRequestInit,
  protoField,
  type RowOwner,
  readSample,
  SAMPLES,
} from '@weir/testkit';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Transcoder } from './transcoder.ts';

const RECEIVED_AT_NS = 1_795_237_200_123_456_789n;

let engine: Engine;
let tenants = 0;
const transcoder = new Transcoder();

beforeAll(async () => {
  engine = await Engine.open();
  const target = { database: 'weir' };
  for (const sql of bootstrapStatements(target)) engine.execute(sql);
  for (const migration of MIGRATIONS) for (const sql of migration.statements(target)) engine.execute(sql);
});

afterAll(() => engine.close());

interface Sent {
  readonly signal: SignalKind;
  readonly bytes: Uint8Array;
  readonly owner: RowOwner;
}

type Tables = Partial<Record<TableName, ExpectedRow[]>>;

function newOwner(retentionDays = 30): RowOwner {
  const rawPosition = BigInt(tenants) * 0x0123_4567_89ab_cdefn;
  return { tenant: `tenant-${tenants++}`, retentionDays, receivedAtNs: RECEIVED_AT_NS, rawPosition };
}

function sorted(rows: readonly ExpectedRow[]): ExpectedRow[] {
  const key = (row: ExpectedRow) => JSON.stringify(Object.entries(row).sort(([a], [b]) => (a < b ? -1 : 1)));
  return [...rows].sort((a, b) => (key(a) < key(b) ? -1 : 1));
}

/** What the oracle says about all of it, rows of one table in any order. */
function expectAll(sent: readonly Sent[]): { tables: Tables; invalid: Record<string, number> } {
  const tables: Tables = {};
  const invalid: Record<string, number> = {};
  for (const { signal, bytes, owner } of sent) {
    const expected = expectedRows(signal, decodeExport(signal, bytes), owner);
    for (const table of TABLES) {
      const rows = expected.rows[table];
      if (rows !== undefined) tables[table] = [...(tables[table] ?? []), ...rows];
    }
    for (const [fault, items] of Object.entries(expected.invalid)) invalid[fault] = (invalid[fault] ?? 0) + items;
  }
  for (const table of TABLES) if (tables[table] !== undefined) tables[table] = sorted(tables[table]);
  return { tables, invalid };
}

/** What the transcoder makes of it and ClickHouse stores and returns. */
function storeAll(sent: readonly Sent[]): { tables: Tables; invalid: Record<string, number> } {
  const invalid: Record<string, number> = {};
  const tables: Tables = {};
  transcoder.clear();
  for (const { signal, bytes, owner } of sent) {
    const added = transcoder.add({ ...owner, signal, body: bytes }, (fault, dead, items) => {
      invalid[fault] = (invalid[fault] ?? 0) + items;
      const again = expectedRows(signal, decodeExport(signal, dead), owner);
      expect(again).toEqual({ rows: {}, invalid: { [fault]: items } });
    });
    expect(added.ok).toBe(true);
  }
  const owners = [...new Set(sent.map(({ owner }) => `'${owner.tenant}'`))].join(', ');
  transcoder.finish(({ table, rows, block }) => {
    engine.insertBlock(`weir.${table}`, block, `${owners.replaceAll("'", '')}`);
    const select = `SELECT ${exactSelect(TABLE_COLUMNS[table])} FROM weir.${table} WHERE TenantId IN (${owners})`;
    const stored = engine.select<ExpectedRow>(select);
    expect(stored).toHaveLength(rows);
    tables[table] = sorted(stored);
  });
  return { tables, invalid };
}

function exportBytes(signal: SignalKind): fc.Arbitrary<{ signal: SignalKind; bytes: Uint8Array }> {
  return exportRequest(signal).map((init) => ({ signal, bytes: encodeExport(signal, init) }));
}

const TEXT = fc.oneof(fc.constantFrom('', 'a', 'http.route'), fc.string({ minLength: 100, maxLength: 200 }));
/** A key, a value, what nobody knows: in any order, each once, several times or not at all. */
const KEY_VALUE = fc
  .array(
    fc.oneof(
      TEXT.map((text) => protoField(1, Buffer.from(text))),
      TEXT.map((text) => protoField(2, protoField(1, Buffer.from(text)))),
      fc.integer({ min: 0, max: 127 }).map((value) => protoField(2, Uint8Array.of(0x18, value))),
      fc.constantFrom(protoField(9, Buffer.from('?')), Buffer.of(0x50, 0x07)),
    ),
    { maxLength: 4 },
  )
  .map((fields) => Buffer.concat(fields));

describe('what ClickHouse returns', () => {
  test('is what the official decoder finds in attributes whose fields stand in no usual order', () => {
    const ids = [protoField(1, Buffer.alloc(16, 1)), protoField(2, Buffer.alloc(8, 1))];
    const start = Buffer.concat([Uint8Array.of(0x39), Buffer.alloc(8, 1)]);
    const spans = fc.array(fc.array(KEY_VALUE, { maxLength: 6 }), { minLength: 20, maxLength: 60 });
    fc.assert(
      fc.property(spans, (all) => {
        const messages = all.map((pairs) => protoField(2, ...ids, start, ...pairs.map((pair) => protoField(9, pair))));
        const bytes = protoField(1, protoField(2, ...messages));
        const sent = [{ signal: 'traces' as const, bytes, owner: newOwner() }];
        expect(storeAll(sent)).toEqual(expectAll(sent));
      }),
      { numRuns: 10, endOnFailure: true },
    );
  });

  test('is what the official decoder finds, for every field of generated exports of several tenants', () => {
    const exports = fc.array(fc.oneof(...SIGNALS.map(exportBytes)), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(exports, (some) => {
        const owners = [newOwner(30), newOwner(7)];
        const sent = some.map((one, index) => ({ ...one, owner: owners[index % 2]! }));
        expect(storeAll(sent)).toEqual(expectAll(sent));
      }),
      { numRuns: 60 },
    );
  });

  test.each(SAMPLES)('is what the sample $name says', ({ name, signal }) => {
    const bytes = encodeExport(signal, decodeJsonExport(signal, readSample(name)) as OracleRequestInit<SignalKind>);
    const sent = [{ signal, bytes, owner: newOwner() }];
    const expected = expectAll(sent);
    expect(Object.keys(expected.tables)).not.toEqual([]);
    expect(storeAll(sent)).toEqual(expected);
  });
});

test('every table has exactly the columns of TABLE_COLUMNS, in their order', () => {
  const found = new Map<string, unknown>();
  const span = { traceId: new Uint8Array(16).fill(1), spanId: new Uint8Array(8).fill(1), startTimeUnixNano: 1n };
  const point = { timeUnixNano: 1n };
  const dataPoints = [point];
  transcoder.clear();
  const add = <S extends SignalKind>(signal: S, init: OracleRequestInit<S>) =>
    transcoder.add({ ...newOwner(), signal, body: encodeExport(signal, init) }, () => undefined);
  add('traces', { resourceSpans: [{ scopeSpans: [{ spans: [span] }] }] });
  add('logs', { resourceLogs: [{ scopeLogs: [{ logRecords: [{}] }] }] });
  const kinds = ['gauge', 'sum', 'histogram', 'exponentialHistogram', 'summary'] as const;
  const metrics = kinds.map((kind) => ({ data: { case: kind, value: { dataPoints } } }));
  add('metrics', { resourceMetrics: [{ scopeMetrics: [{ metrics: metrics as never }] }] });
  transcoder.finish(({ table, block }) => found.set(table, engine.describeBlock(block)));
  transcoder.clear();
  for (const table of TABLES) {
    if (table !== 'weir_usage') expect(found.get(table), table).toEqual(TABLE_COLUMNS[table]);
  }
});
