import { createTotals, ITEM_FAULTS, limitFaults, Scanner, UNLIMITED } from '@weir/otlp';
import { SIGNALS, type SignalKind } from '@weir/pipeline';
import { encodeRejectedItems } from '@weir/records';
import {
  damagedExport,
  decodeExport,
  encodeExport,
  exportRequest,
  type OracleRequestInit,
  protoField,
} from '@weir/testkit';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Transcoder } from './transcoder.ts';

const OWNER = { tenant: 'a', retentionDays: 30, receivedAtNs: 1_795_237_200_123_456_789n };
const NOTHING = () => undefined;
const span = { traceId: new Uint8Array(16).fill(1), spanId: new Uint8Array(8).fill(2), startTimeUnixNano: 1n };

function traces(init: OracleRequestInit<'traces'>): Uint8Array {
  return encodeExport('traces', init);
}

const damaged = (signal: SignalKind) => damagedExport(signal, { min: 0, max: 4 });

describe('an export that the edge would take', () => {
  test('is taken, with the same items written and refused, whatever else its bytes say', () => {
    const scanner = new Scanner();
    const totals = createTotals();
    const transcoder = new Transcoder();
    let taken = 0;
    fc.assert(
      fc.property(fc.oneof(...SIGNALS.map(damaged)), ({ signal, bytes }) => {
        const scanned = scanner.scan(signal, bytes, 1e9, totals);
        const invalid = ITEM_FAULTS.map(() => 0);
        const added = transcoder.add({ ...OWNER, signal, body: bytes }, (fault, _bytes, items) => {
          invalid[ITEM_FAULTS.indexOf(fault)] = items;
        });
        if (scanned.ok) {
          taken++;
          expect(added).toEqual({
            ok: true,
            written: totals.items - totals.rejectedItems,
            invalid: totals.rejectedItems,
            renamed: 0,
          });
          expect(invalid).toEqual([...totals.rejected]);
        }
        transcoder.clear();
      }),
      { numRuns: 4_000 },
    );
    expect(taken).toBeGreaterThan(1_000);
  });
});

test.each([
  ['of two bytes', '83', '00'],
  ['of six bytes', '8380808080', '00'],
  ['of ten bytes', '838080808080808080', '00'],
])('a text whose length is %s where one would do is written as ClickHouse writes it', (_, head, tail) => {
  const length = Buffer.from(head + tail, 'hex');
  const blockOf = (text: Buffer) => {
    const attribute = (number: number) => protoField(number, protoField(1, Buffer.from('k')), protoField(2, text));
    const item = Buffer.concat([Buffer.from('090000000000000010', 'hex'), protoField(5, text), attribute(6)]);
    const body = protoField(1, protoField(1, attribute(1)), protoField(2, protoField(2, item)));
    const transcoder = new Transcoder();
    expect(transcoder.add({ ...OWNER, signal: 'logs', body }, NOTHING).ok).toBe(true);
    const blocks: string[] = [];
    transcoder.finish(({ block }) => blocks.push(Buffer.from(block).toString('latin1')));
    return blocks;
  };
  const abc = Buffer.from('abc');
  const usual = blockOf(protoField(1, abc));
  expect(usual).toHaveLength(1);
  expect(blockOf(Buffer.concat([Buffer.from([0x0a]), length, abc]))).toEqual(usual);
});

/** Items of an export by their bytes, which letters keep. */
function itemsOf(signal: SignalKind, bytes: Uint8Array): number {
  const scanner = new Scanner();
  const totals = createTotals();
  expect(scanner.scan(signal, bytes, 1e9, totals).ok).toBe(true);
  return totals.items;
}

describe('what the edge has rejected for a limit', () => {
  test.each(SIGNALS)('is handed over with the same fault, and everything else of %s is written', (signal) => {
    const scanner = new Scanner();
    const totals = createTotals();
    const transcoder = new Transcoder();
    let limited = 0;
    const limits = fc.record({ attributesMax: fc.integer({ min: 1, max: 8 }), valueBytesMax: fc.nat({ max: 60 }) });
    fc.assert(
      fc.property(exportRequest(signal), limits, fc.nat({ max: 3 }), (init, given, series) => {
        const bytes = encodeExport(signal, init);
        let admitted = 0;
        const gate = { admit: () => admitted++ < series };
        expect(scanner.scan(signal, bytes, 1e9, totals, { ...UNLIMITED, ...given, series: gate }).ok).toBe(true);
        const codes = limitFaults(totals, 0, totals.items);
        if (codes !== undefined) limited++;
        const rejected = codes === undefined ? undefined : encodeRejectedItems(codes);
        const invalid = ITEM_FAULTS.map(() => 0);
        const added = transcoder.add({ ...OWNER, signal, body: bytes, rejected }, (fault, letter, items) => {
          invalid[ITEM_FAULTS.indexOf(fault)] = items;
          expect(itemsOf(signal, letter)).toBe(items);
          expect(() => decodeExport(signal, letter)).not.toThrow();
        });
        const written = totals.items - totals.rejectedItems;
        expect(added).toEqual({ ok: true, written, invalid: totals.rejectedItems, renamed: 0 });
        expect(transcoder.rows).toBe(written);
        expect(invalid).toEqual([...totals.rejected]);
        transcoder.clear();
      }),
      { numRuns: 500 },
    );
    expect(limited).toBeGreaterThan(100);
  });
});

describe('bytes that are not an export', () => {
  test('are refused with the reason, and hand nothing over', () => {
    const bytes = traces({ resourceSpans: [{ scopeSpans: [{ spans: [{}, span] }] }] });
    let handed = 0;
    const added = new Transcoder().add({ ...OWNER, signal: 'traces', body: bytes.subarray(0, -1) }, () => handed++);
    expect(added).toEqual({ ok: false, reason: 'length_past_end' });
    expect(handed).toBe(0);
  });

  test('leave nothing behind once the transcoder is cleared', () => {
    const good = traces({ resourceSpans: [{ scopeSpans: [{ spans: [span] }] }] });
    const fresh = new Transcoder();
    const used = new Transcoder();
    fc.assert(
      fc.property(fc.oneof(...SIGNALS.map(damaged)), ({ signal, bytes }) => {
        used.add({ ...OWNER, signal, body: bytes }, NOTHING);
        used.clear();
        fresh.clear();
        for (const one of [used, fresh]) one.add({ ...OWNER, signal: 'traces', body: good }, NOTHING);
        expect(blocksOf(used)).toEqual(blocksOf(fresh));
        used.clear();
      }),
      { numRuns: 300 },
    );
  });
});

function blocksOf(transcoder: Transcoder): string[] {
  const blocks: string[] = [];
  transcoder.finish(({ table, rows, block }) => blocks.push(`${table} ${rows} ${block.toString('base64')}`));
  return blocks;
}

describe('items that cannot be stored', () => {
  test('are handed over once for each fault, under the resources and scopes that they came in', () => {
    const scopeOf = (name: string, spans: object[]) => ({ scope: { name }, schemaUrl: 'u', spans });
    const early = { ...span, startTimeUnixNano: 0n };
    const nameless = { ...span, traceId: new Uint8Array(16), name: 'no id' };
    const bytes = traces({
      resourceSpans: [
        { resource: {}, scopeSpans: [scopeOf('a', [span, nameless, early]), scopeOf('b', [span])] },
        { scopeSpans: [scopeOf('c', [nameless])] },
        { scopeSpans: [scopeOf('d', [span])] },
      ],
    });
    const handed = new Map<string, Buffer>();
    new Transcoder().add({ ...OWNER, signal: 'traces', body: bytes }, (fault, dead) => handed.set(fault, dead));
    expect(Object.fromEntries(handed)).toEqual({
      invalid_trace_id: Buffer.from(
        traces({
          resourceSpans: [
            { resource: {}, scopeSpans: [scopeOf('a', [nameless])] },
            { scopeSpans: [scopeOf('c', [nameless])] },
          ],
        }),
      ),
      invalid_time: Buffer.from(traces({ resourceSpans: [{ resource: {}, scopeSpans: [scopeOf('a', [early])] }] })),
    });
  });

  test('are found again even where their messages are empty', () => {
    const bytes = traces({ resourceSpans: [{ scopeSpans: [{ spans: [span, {}, {}] }] }] });
    const transcoder = new Transcoder();
    transcoder.add({ ...OWNER, signal: 'traces', body: bytes }, (_fault, dead, items) => {
      expect(items).toBe(2);
      expect(dead).toEqual(Buffer.from(traces({ resourceSpans: [{ scopeSpans: [{ spans: [{}, {}] }] }] })));
    });
    expect.assertions(2);
  });
});

describe('bounds', () => {
  test('an export may not grow without end by what its items share', () => {
    const value = { value: { case: 'stringValue' as const, value: 'x'.repeat(200_000) } };
    const resource = { attributes: [{ key: 'k', value }] };
    const spans = Array<typeof span>(2_000).fill(span);
    const bytes = traces({ resourceSpans: [{ resource, scopeSpans: [{ spans }] }] });
    const transcoder = new Transcoder();
    const added = transcoder.add({ ...OWNER, signal: 'traces', body: bytes }, NOTHING);
    expect(added).toEqual({ ok: false, reason: 'expands_too_far' });
    expect(transcoder.bytes).toBeLessThan(80 * 1024 * 1024);
  });

  test('is refused where a schema URL is what its points would repeat', () => {
    const schemaUrl = 'u'.repeat(512 * 1024);
    const dataPoints = Array.from({ length: 1_000 }, () => ({ timeUnixNano: 1n }));
    const data = { case: 'gauge' as const, value: { dataPoints } };
    for (const where of ['resource', 'scope']) {
      const scopeMetrics = [{ ...(where === 'scope' ? { schemaUrl } : {}), metrics: [{ name: 'm', data }] }];
      const resourceMetrics = [{ ...(where === 'resource' ? { schemaUrl } : {}), scopeMetrics }];
      const body = encodeExport('metrics', { resourceMetrics });
      const added = new Transcoder().add({ ...OWNER, signal: 'metrics', body }, NOTHING);
      expect(added).toEqual({ ok: false, reason: 'expands_too_far' });
    }
  });

  test('a million attributes and a ten-megabyte key take a bounded time', () => {
    const value = { value: { case: 'intValue' as const, value: 1n } };
    const attributes = Array.from({ length: 1_000_000 }, (_, index) => ({ key: `k${index}`, value }));
    const bytes = traces({
      resourceSpans: [
        {
          scopeSpans: [
            {
              spans: [
                { ...span, attributes },
                { ...span, name: 'n'.repeat(10_000_000) },
              ],
            },
          ],
        },
      ],
    });
    const transcoder = new Transcoder();
    const started = performance.now();
    const added = transcoder.add({ ...OWNER, signal: 'traces', body: bytes }, NOTHING);
    transcoder.finish(NOTHING);
    expect(added).toEqual({ ok: true, written: 2, invalid: 0, renamed: 0 });
    expect(performance.now() - started).toBeLessThan(5_000);
  });

  test('the size that is told is near the size of the blocks', () => {
    const transcoder = new Transcoder();
    const spans = Array.from({ length: 5_000 }, (_, index) => ({ ...span, name: `name ${index % 7}` }));
    const body = traces({ resourceSpans: [{ scopeSpans: [{ spans }] }] });
    transcoder.add({ ...OWNER, signal: 'traces', body }, NOTHING);
    const told = transcoder.bytes;
    let size = 0;
    transcoder.finish(({ block }) => {
      size += block.length;
    });
    expect(told / size).toBeGreaterThan(0.9);
    expect(told / size).toBeLessThan(1.1);
  });
});
