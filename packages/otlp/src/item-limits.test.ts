import { SIGNALS } from '@weir/pipeline';
import { decodeExport, encodeExport, exportRequest, itemFaults, type OracleLimits, protoField } from '@weir/testkit';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type ItemLimits, UNLIMITED } from './item-limits.ts';
import { Scanner } from './scan.ts';
import { createTotals, limitFaults } from './totals.ts';
import { FIRST_LIMIT_FAULT, ITEM_FAULTS } from './validity.ts';

const NOW = 1_795_000_000n * 1_000_000_000n;
const DAY = 86_400_000_000_000n;
const scanner = new Scanner();
const totals = createTotals();

/** Takes at most so many series; hashes are as good as what they are of. */
function gate(max: number) {
  const known = new Set<string>();
  return {
    known,
    admit: (lo: number, hi: number) => {
      const key = `${lo} ${hi}`;
      if (!known.has(key) && known.size >= max) return false;
      known.add(key);
      return true;
    },
  };
}

function asLimits(limits: OracleLimits): ItemLimits {
  return {
    attributesMax: limits.perItem,
    keyBytesMax: limits.keyBytes,
    valueBytesMax: limits.valueBytes,
    timeMinNs: Number(limits.from),
    timeMaxNs: Number(limits.until),
    series: limits.series === undefined ? undefined : gate(limits.series),
  };
}

/** Limits that some items of the arbitrary exports are over; times on multiples of a double's precision. */
const limits = fc.record(
  {
    perItem: fc.integer({ min: 1, max: 12 }),
    keyBytes: fc.integer({ min: 1, max: 150 }),
    valueBytes: fc.integer({ min: 1, max: 300 }),
    from: fc.constantFrom(0n, NOW - DAY, NOW + DAY / 2n),
    until: fc.constantFrom(NOW + DAY / 2n, NOW + 2n * DAY, 2n ** 63n),
    series: fc.integer({ min: 0, max: 4 }),
  },
  { requiredKeys: ['perItem', 'keyBytes', 'valueBytes', 'from', 'until'] },
);

function faultsFound(): (string | undefined)[] {
  return Array.from({ length: totals.items }, (_, item) => ITEM_FAULTS[(totals.faults[item] ?? 0) - 1]);
}

describe('limits of items', () => {
  test.each(SIGNALS)('reject of %s what the official decoder shows to be over them, item by item', (signal) => {
    let limited = 0;
    fc.assert(
      fc.property(exportRequest(signal), limits, (init, given) => {
        const bytes = encodeExport(signal, init);
        const expected = itemFaults(signal, decodeExport(signal, bytes), given);
        expect(scanner.scan(signal, bytes, 1e9, totals, asLimits(given))).toEqual({ ok: true });
        expect(faultsFound()).toEqual(expected);
        expect(totals.rejectedItems).toBe(expected.filter((fault) => fault !== undefined).length);
        expect([...totals.rejected]).toEqual(ITEM_FAULTS.map((name) => expected.filter((it) => it === name).length));
        const codes = expected.map((name) => ITEM_FAULTS.indexOf(name as never) + 1);
        const over = codes.map((code) => (code > FIRST_LIMIT_FAULT ? code : 0));
        expect([...(limitFaults(totals, 0, totals.items) ?? [])]).toEqual(
          over.slice(0, over.findLastIndex(Boolean) + 1),
        );
        if (over.some(Boolean)) limited++;
      }),
      { numRuns: 500 },
    );
    expect(limited).toBeGreaterThan(100);
  });

  test('leave nothing of one scan to the next', () => {
    const bytes = encodeExport('traces', { resourceSpans: [{ scopeSpans: [{ spans: [{}, {}] }] }] });
    scanner.scan('traces', bytes, 1e9, totals);
    expect([totals.rejectedItems, totals.faultsEnd]).toEqual([2, 2]);
    scanner.scan('traces', Buffer.alloc(0), 1e9, totals);
    expect([totals.rejectedItems, totals.faultsEnd, totals.faults[0], totals.rejected[0]]).toEqual([0, 0, 0, 0]);
  });
});

const text = (key: string, value: string) => ({ key, value: { value: { case: 'stringValue' as const, value } } });
const span = { traceId: new Uint8Array(16).fill(1), spanId: new Uint8Array(8).fill(1), startTimeUnixNano: 1n };

describe('a resource that is over a limit', () => {
  const long = { attributes: [text('k'.repeat(20), 'v')] };
  const error = { ...span, status: { code: 2 as const } };
  const scopeSpans = [{ spans: [error, { ...span, spanId: new Uint8Array(3) }] }, { spans: [span] }];
  const bytes = encodeExport('traces', { resourceSpans: [{ resource: long, scopeSpans }, { scopeSpans }] });
  const limited = { ...UNLIMITED, keyBytesMax: 10 };

  test('rejects all that is under it, once, and nothing else', () => {
    scanner.scan('traces', bytes, 1e9, totals, limited);
    expect(faultsFound()).toEqual([...Array(3).fill('key_too_long'), undefined, 'invalid_span_id', undefined]);
    expect([totals.rejectedItems, totals.errorItems]).toEqual([4, 1]);
  });

  test('rejects it too where it stands behind its items', () => {
    const usual = encodeExport('traces', { resourceSpans: [{ resource: long, scopeSpans }] });
    const itemsAt = 5 + usual[4]!;
    const behind = Buffer.concat([usual.subarray(0, 3), usual.subarray(itemsAt), usual.subarray(3, itemsAt)]);
    scanner.scan('traces', behind, 1e9, totals, limited);
    expect(faultsFound()).toEqual(Array(3).fill('key_too_long'));
    expect([totals.rejectedItems, totals.errorItems]).toEqual([3, 0]);
  });
});

describe('the series of a point', () => {
  const point = (attributes: ReturnType<typeof text>[]) => ({ timeUnixNano: 5n, attributes });
  const metric = (name: string, ...dataPoints: ReturnType<typeof point>[]) => ({
    name,
    data: { case: 'gauge' as const, value: { dataPoints } },
  });
  const exportOf = (host: string, scope: string, ...metrics: ReturnType<typeof metric>[]) => ({
    resource: { attributes: [text('host.name', host)] },
    scopeMetrics: [{ scope: { name: scope }, metrics }],
  });

  function seriesOf(...bodies: Uint8Array[]): number {
    const counting = gate(Number.POSITIVE_INFINITY);
    for (const body of bodies) {
      expect(scanner.scan('metrics', body, 1e9, totals, { ...UNLIMITED, series: counting }).ok).toBe(true);
    }
    return counting.known.size;
  }

  test('is the same whatever its value, its time and the order of its attributes', () => {
    const [a, b] = [text('a', '1'), text('b', '2')];
    const one = exportOf('h', 's', metric('m', point([a!, b!]), point([b!, a!])));
    expect(seriesOf(encodeExport('metrics', { resourceMetrics: [one, one] }))).toBe(1);
  });

  test('is another by name, resource, scope, and each attribute', () => {
    const [a, b] = [text('a', '1'), text('b', '2')];
    const all = [
      exportOf('h', 's', metric('m', point([a!]), point([b!]), point([a!, b!]), point([])), metric('n', point([a!]))),
      exportOf('i', 's', metric('m', point([a!]))),
      exportOf('h', 't', metric('m', point([a!]))),
    ];
    expect(seriesOf(encodeExport('metrics', { resourceMetrics: all }))).toBe(7);
  });

  test('is that of its resource and its name where these stand behind it', () => {
    const before = exportOf('h', 's', metric('m', point([text('a', '1')])));
    const usual = encodeExport('metrics', { resourceMetrics: [before] });
    const resource = usual.subarray(2, 4 + usual[3]!);
    const behind = Buffer.concat([usual.subarray(0, 2), usual.subarray(2 + resource.length), resource]);
    expect(seriesOf(usual, behind)).toBe(1);
    const other = encodeExport('metrics', { resourceMetrics: [{ ...before, resource: { attributes: [] } }] });
    expect(seriesOf(behind, other)).toBe(2);
  });

  test('has a hash of its own among 200,000 of a common kind', () => {
    const counting = gate(Number.POSITIVE_INFINITY);
    for (let host = 0; host < 20; host++) {
      const points = Array.from({ length: 10_000 }, (_, i) =>
        point([text('pod', `pod-${i >> 3}`), text('cpu', `${i & 7}`)]),
      );
      const body = encodeExport('metrics', {
        resourceMetrics: [exportOf(`host-${host}`, 's', metric('cpu', ...points))],
      });
      scanner.scan('metrics', body, 1e9, totals, { ...UNLIMITED, series: counting });
    }
    expect(counting.known.size).toBe(200_000);
  }, 60_000);
});

describe('faults beyond what is kept', () => {
  test('a body of millions of empty spans is scanned in bounded memory', () => {
    const items = 3_000_000;
    const spans = Buffer.alloc(items * 2);
    for (let at = 0; at < spans.length; at += 2) spans[at] = 0x12;
    const body = protoField(1, protoField(2, spans));
    expect(scanner.scan('traces', body, 1e9, totals)).toEqual({ ok: true });
    expect([totals.items, totals.rejectedItems]).toEqual([items, items]);
    expect(totals.faults.length).toBeLessThanOrEqual(2 ** 24);
    scanner.scan('traces', Buffer.alloc(0), 1e9, totals);
    expect(totals.faults.length).toBeLessThanOrEqual(2 ** 16);
  });
});
