import { SIGNALS, type SignalKind } from '@weir/pipeline';
import { decodeExport, type ExpectedRow, encodeExport, expectedRows, exportRequest } from '@weir/testkit';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { splitExport } from './split.ts';

const OWNER = { tenant: 'a', retentionDays: 1, receivedAtNs: 1n };

/** Everything that is to be stored of some exports, table by table, in order. */
function contentOf(signal: SignalKind, exports: readonly Uint8Array[]) {
  const rows: Record<string, ExpectedRow[]> = {};
  const invalid: Record<string, number> = {};
  for (const bytes of exports) {
    const expected = expectedRows(signal, decodeExport(signal, bytes), OWNER);
    for (const [table, some] of Object.entries(expected.rows)) rows[table] = [...(rows[table] ?? []), ...some];
    for (const [fault, items] of Object.entries(expected.invalid)) invalid[fault] = (invalid[fault] ?? 0) + items;
  }
  return { rows, invalid };
}

describe('splitExport', () => {
  test.each(SIGNALS)('keeps every item of %s, in its order, under its resource and scope', (signal) => {
    let split = 0;
    fc.assert(
      fc.property(exportRequest(signal), fc.integer({ min: 100, max: 4_000 }), (init, bytesMax) => {
        const bytes = Buffer.from(encodeExport(signal, init));
        const pieces = splitExport(bytes, bytesMax);
        if (pieces === undefined) return;
        if (pieces.length > 1) split++;
        for (const piece of pieces) expect(piece.length).toBeLessThanOrEqual(bytesMax);
        expect(contentOf(signal, pieces)).toEqual(contentOf(signal, [bytes]));
      }),
      { numRuns: 500 },
    );
    expect(split).toBeGreaterThan(20);
  });

  test('leaves an export that fits as it is', () => {
    const bytes = Buffer.from(
      encodeExport('traces', { resourceSpans: [{ scopeSpans: [{ spans: [{ name: 'a' }] }] }] }),
    );
    expect(splitExport(bytes, bytes.length)).toEqual([bytes]);
  });

  test('says so where one item is too large alone', () => {
    const spans = [{ name: 'a'.repeat(300) }, { name: 'b'.repeat(1_000) }, { name: 'c'.repeat(300) }];
    const bytes = Buffer.from(encodeExport('traces', { resourceSpans: [{ scopeSpans: [{ spans }] }] }));
    expect(splitExport(bytes, 900)).toBeUndefined();
    expect(splitExport(bytes, 1_100)).toHaveLength(3);
    expect(splitExport(bytes, 1_400)).toHaveLength(2);
  });
});
