import { SIGNALS, type SignalKind } from '@weir/pipeline';
import {
  damagedExport,
  decodeExport,
  encodeExport,
  expectedRows,
  exportRequest,
  type OfficialCounts,
  officialCounts,
} from '@weir/testkit';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { UNLIMITED } from './item-limits.ts';
import { Scanner } from './scan.ts';
import { createTotals, ROW_BYTES, repeatedBytesMax } from './totals.ts';
import { ITEM_FAULTS } from './validity.ts';

const SLOW_NS = 500_000_000;
const OWNER = { tenant: 'a', retentionDays: 1, receivedAtNs: 1n };
const scanner = new Scanner();
const totals = createTotals();

function plainCounts(signal: SignalKind, bytes: Uint8Array): OfficialCounts {
  const request = decodeExport(signal, bytes);
  const of = { owner: OWNER, slowNs: SLOW_NS, faults: ITEM_FAULTS };
  return officialCounts(signal, request, expectedRows(signal, request, OWNER), of);
}

function scannedCounts() {
  const { items, rejectedItems, rejected, errorItems, slowItems } = totals;
  return { items, rejectedItems, rejected: [...rejected], errorItems, slowItems };
}

const damaged = (signal: SignalKind) => damagedExport(signal, { min: 1, max: 3 });

function decodes(signal: SignalKind, bytes: Uint8Array): boolean {
  try {
    decodeExport(signal, bytes);
    return true;
  } catch {
    return false;
  }
}

describe('the scan', () => {
  test.each(SIGNALS)(
    'counts the items, errors, slow spans and faults of %s as the official decoder would',
    (signal) => {
      fc.assert(
        fc.property(exportRequest(signal), (init) => {
          const bytes = encodeExport(signal, init);
          expect(scanner.scan(signal, bytes, SLOW_NS, totals)).toEqual({ ok: true });
          expect(scannedCounts()).toEqual(plainCounts(signal, bytes));
        }),
        { numRuns: 300 },
      );
    },
  );

  test('takes damaged bytes only where the official decoder does, and counts the same items in them', () => {
    let taken = 0;
    let refused = 0;
    fc.assert(
      fc.property(fc.oneof(...SIGNALS.map(damaged)), ({ signal, bytes }) => {
        const result = scanner.scan(signal, bytes, SLOW_NS, totals);
        if (result.ok) {
          taken++;
          expect(decodes(signal, bytes)).toBe(true);
          expect(scannedCounts()).toEqual(plainCounts(signal, bytes));
        } else {
          refused++;
          expect(result.offset).toBeLessThanOrEqual(bytes.length + 8);
        }
      }),
      { numRuns: 3_000 },
    );
    expect(taken).toBeGreaterThan(500);
    expect(refused).toBeGreaterThan(500);
  });
});

const bytesOf = (...parts: readonly (number | readonly number[])[]) => Buffer.from(parts.flat());

/** Wraps bytes as a length-delimited field, `levels` times. */
function nested(inner: Buffer, tag: number, levels: number): Buffer {
  const heads: Buffer[] = [];
  let size = inner.length;
  for (let level = 0; level < levels; level++) {
    const length: number[] = [];
    for (let rest = size; ; rest >>>= 7) {
      length.push(rest > 0x7f ? (rest & 0x7f) | 0x80 : rest);
      if (rest <= 0x7f) break;
    }
    const head = bytesOf(tag, length);
    heads.push(head);
    size += head.length;
  }
  return Buffer.concat([...heads.reverse(), inner]);
}

describe('bytes that are no export', () => {
  test.each([
    ['a truncated length', bytesOf(0x0a), 'truncated'],
    ['a length past the end', bytesOf(0x0a, 5, 0), 'length_past_end'],
    ['a length of 2^31 - 1', bytesOf(0x0a, 0xff, 0xff, 0xff, 0xff, 0x07), 'length_past_end'],
    ['a varint of 11 bytes', bytesOf(0x78, Array(11).fill(0x80), 0x01), 'varint_overlong'],
    ['field number 0', bytesOf(0x02, 0), 'illegal_tag'],
    ['a group', bytesOf(0x1b, 0x1c), 'illegal_tag'],
    ['a known field of another wire type', bytesOf(0x08, 1), 'wrong_wire_type'],
    ['a span whose name is not UTF-8', nested(bytesOf(0x2a, 1, 0xff), 0x12, 1), 'invalid_utf8'],
    ['wire type 7', bytesOf(0x7f, 1), 'illegal_tag'],
  ])('are refused: %s', (name, bytes, reason) => {
    const body = name.startsWith('a span') ? nested(nested(bytes, 0x12, 1), 0x0a, 1) : bytes;
    expect(scanner.scan('traces', body, SLOW_NS, totals)).toMatchObject({ ok: false, reason });
  });

  test('are refused where values nest 100,000 deep, without a stack overflow', () => {
    const lists = 50_000;
    // Each list is an AnyValue (field 5) in an ArrayValue (field 1): alternate the two tags from the inside out.
    const heads: number[][] = [];
    let size = 0;
    for (let i = 0; i < lists * 2; i++) {
      const length: number[] = [];
      for (let rest = size; ; rest >>>= 7) {
        length.push(rest > 0x7f ? (rest & 0x7f) | 0x80 : rest);
        if (rest <= 0x7f) break;
      }
      const head = [i % 2 === 1 ? 0x2a : 0x0a, ...length];
      heads.push(head);
      size += head.length;
    }
    const deep = Buffer.from(heads.reverse().flat());
    const attribute = nested(deep, 0x12, 1);
    const span = nested(attribute, 0x4a, 1);
    const body = nested(nested(nested(span, 0x12, 1), 0x12, 1), 0x0a, 1);
    expect(scanner.scan('traces', body, SLOW_NS, totals)).toMatchObject({ ok: false, reason: 'nested_too_deep' });
  });
});

describe('what rows will repeat', () => {
  test('is the bytes of resources, scopes and metric heads, once for each of their items, and a row for each item', () => {
    const span = { traceId: new Uint8Array(16).fill(1), spanId: new Uint8Array(8).fill(1), startTimeUnixNano: 1n };
    const attributes = [{ key: 'k', value: { value: { case: 'stringValue' as const, value: 'v'.repeat(1_000) } } }];
    const scopeSpans = [{ scope: { name: 's'.repeat(100) }, spans: [span, span, span] }, { spans: [span] }];
    const traces = encodeExport('traces', { resourceSpans: [{ resource: { attributes }, scopeSpans }] });
    expect(scanner.scan('traces', traces, SLOW_NS, totals).ok).toBe(true);
    expect(totals.repeatedBytes).toBeGreaterThan(4 * (1_000 + ROW_BYTES) + 3 * 100);
    expect(totals.repeatedBytes).toBeLessThan(4 * (1_020 + ROW_BYTES) + 3 * 110);
    const gauge = { case: 'gauge' as const, value: { dataPoints: [{ timeUnixNano: 1n }, { timeUnixNano: 1n }] } };
    const metrics = [{ name: 'n'.repeat(50), description: 'd'.repeat(500), data: gauge }];
    const body = encodeExport('metrics', { resourceMetrics: [{ scopeMetrics: [{ metrics }] }] });
    expect(scanner.scan('metrics', body, SLOW_NS, totals).ok).toBe(true);
    expect(totals.repeatedBytes).toBeGreaterThan(2 * (550 + ROW_BYTES));
    expect(totals.repeatedBytes).toBeLessThan(2 * (560 + ROW_BYTES));
  });

  test('is everything beside the items, the unknown too, and each occurrence of it', () => {
    const span = { traceId: new Uint8Array(16).fill(1), spanId: new Uint8Array(8).fill(1), startTimeUnixNano: 1n };
    const scopeOf = (extra: Buffer) => {
      const scope = encodeExport('traces', { resourceSpans: [{ scopeSpans: [{ spans: [span, span] }] }] }).subarray(4);
      return nested(Buffer.concat([scope, extra]), 0x12, 1);
    };
    const text = Buffer.alloc(10_000, 'u');
    const heads: [string, Buffer][] = [
      ['schema_url', nested(text, 0x1a, 1)],
      ['an unknown field', nested(text, 0x7a, 1)],
      ['a first head, before an empty one', Buffer.concat([nested(nested(text, 0x7a, 1), 0x0a, 1), bytesOf(0x0a, 0)])],
    ];
    for (const [name, head] of heads) {
      const inResource = nested(Buffer.concat([head, scopeOf(Buffer.alloc(0))]), 0x0a, 1);
      const inScope = nested(scopeOf(head), 0x0a, 1);
      for (const body of [inResource, inScope]) {
        expect(scanner.scan('traces', body, SLOW_NS, totals), name).toEqual({ ok: true });
        expect(totals.repeatedBytes, name).toBe(2 * (head.length + ROW_BYTES));
      }
    }
  });

  test('counts a metric without data points as a row: it is carried like one', () => {
    const metrics = [{ name: '' }, { name: '' }];
    const body = encodeExport('metrics', { resourceMetrics: [{ scopeMetrics: [{ metrics }] }] });
    expect(scanner.scan('metrics', body, SLOW_NS, totals).ok).toBe(true);
    expect([totals.items, totals.repeatedBytes]).toEqual([0, 2 * ROW_BYTES]);
  });

  test('may be several times an ordinary export, but not without end', () => {
    expect(repeatedBytesMax(0)).toBe(16 * 1024 * 1024);
    expect(repeatedBytesMax(1_000)).toBe(16 * 1024 * 1024 + 4_000);
  });
});

describe('a scan with a bound on what rows repeat', () => {
  /** A scope of empty spans, each of which is two bytes. */
  const emptySpans = (count: number) => nested(nested(Buffer.alloc(2 * count, bytesOf(0x12, 0)), 0x12, 1), 0x0a, 1);
  const unlimited = [SLOW_NS, totals, UNLIMITED] as const;

  test('stops soon after it is passed, however many items come behind', () => {
    const body = emptySpans(1_000_000);
    const result = scanner.scan('traces', body, ...unlimited, 1_000 * ROW_BYTES);
    expect(result).toMatchObject({ ok: false, reason: 'rows_too_large' });
    expect(totals.items).toBeGreaterThan(1_000);
    expect(totals.items).toBeLessThan(40_000);
    expect(!result.ok && result.offset).toBeLessThan(80_100);
  });

  test('stops in the next scope or resource where the one before it passed the bound', () => {
    const scope = emptySpans(1_000);
    const body = Buffer.concat(Array.from({ length: 100 }, () => scope));
    expect(scanner.scan('traces', body, ...unlimited, 1_500 * ROW_BYTES)).toMatchObject({ reason: 'rows_too_large' });
    expect(totals.items).toBe(2_000);
  });

  test('refuses what passes it only in the end, and takes what just reaches it', () => {
    const body = emptySpans(1_000);
    const scan = (bytesMax: number) => scanner.scan('traces', body, ...unlimited, bytesMax);
    expect(scan(1_000 * ROW_BYTES - 1)).toMatchObject({ ok: false, reason: 'rows_too_large' });
    expect(scan(1_000 * ROW_BYTES)).toEqual({ ok: true });
    expect(totals.items).toBe(1_000);
    const broken = Buffer.concat([body, bytesOf(0x0a)]);
    expect(scanner.scan('traces', broken, ...unlimited, Number.POSITIVE_INFINITY)).toMatchObject({
      reason: 'truncated',
    });
  });
});

describe('large but harmless exports', () => {
  test('a million empty envelopes hold no items and take a bounded time', () => {
    const bytes = Buffer.alloc(2_000_000);
    for (let at = 0; at < bytes.length; at += 2) bytes[at] = 0x0a;
    const started = performance.now();
    expect(scanner.scan('traces', bytes, SLOW_NS, totals)).toEqual({ ok: true });
    expect(totals.items).toBe(0);
    expect(performance.now() - started).toBeLessThan(1_000);
  });

  test('an empty request is an export without items', () => {
    for (const signal of SIGNALS) {
      expect(scanner.scan(signal, Buffer.alloc(0), SLOW_NS, totals)).toEqual({ ok: true });
      expect(totals.items).toBe(0);
    }
  });

  test('a metric that changes its kind counts only what stands after the last change', () => {
    const point = { timeUnixNano: 5n };
    const metric = (kind: 'gauge' | 'sum') => ({ data: { case: kind, value: { dataPoints: [point] } } });
    const part = (kind: 'gauge' | 'sum') => {
      const bytes = encodeExport('metrics', { resourceMetrics: [{ scopeMetrics: [{ metrics: [metric(kind)] }] }] });
      return Buffer.from(bytes.subarray(6));
    };
    const body = Buffer.concat([part('gauge'), part('sum'), part('sum'), part('gauge'), part('gauge')]);
    const bytes = nested(nested(nested(body, 0x12, 1), 0x12, 1), 0x0a, 1);
    expect(scanner.scan('metrics', bytes, SLOW_NS, totals)).toEqual({ ok: true });
    expect(totals.items).toBe(2);
    expect(plainCounts('metrics', bytes).items).toBe(2);
  });
});
