import { SIGNALS, type SignalKind } from '@weir/pipeline';
import { decodeExport, type ExpectedRow, encodeExport, expectedRows, exportRequest, protoField } from '@weir/testkit';
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

/** The pieces of an export, or undefined where it cannot be split. */
function piecesOf(bytes: Buffer, bytesMax: number): Buffer[] | undefined {
  const pieces: Buffer[] = [];
  return splitExport(bytes, bytesMax, (piece) => pieces.push(piece)) ? pieces : undefined;
}

const sizeOf = (pieces: readonly Buffer[]) => pieces.reduce((sum, piece) => sum + piece.length, 0);

describe('splitExport', () => {
  test.each(SIGNALS)('keeps every item of %s, in its order, under its resource and scope', (signal) => {
    let split = 0;
    fc.assert(
      fc.property(exportRequest(signal), fc.integer({ min: 100, max: 4_000 }), (init, bytesMax) => {
        const bytes = Buffer.from(encodeExport(signal, init));
        const pieces = piecesOf(bytes, bytesMax);
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
    expect(piecesOf(bytes, bytes.length)).toEqual([bytes]);
  });

  test('says so where one item is too large alone', () => {
    const spans = [{ name: 'a'.repeat(300) }, { name: 'b'.repeat(1_000) }, { name: 'c'.repeat(300) }];
    const bytes = Buffer.from(encodeExport('traces', { resourceSpans: [{ scopeSpans: [{ spans }] }] }));
    expect(piecesOf(bytes, 900)).toBeUndefined();
    expect(piecesOf(bytes, 1_100)).toHaveLength(3);
    expect(piecesOf(bytes, 1_400)).toHaveLength(2);
  });

  test('repeats a resource once for each piece, not for each of its scopes', () => {
    const attributes = [{ key: 'k', value: { value: { case: 'stringValue' as const, value: 'v'.repeat(500) } } }];
    const scopeSpans = Array.from({ length: 100 }, (_, i) => ({ scope: { name: `s${i}` }, spans: [{ name: 'n' }] }));
    const bytes = Buffer.from(encodeExport('traces', { resourceSpans: [{ resource: { attributes }, scopeSpans }] }));
    const pieces = piecesOf(bytes, bytes.length - 1)!;
    expect(pieces).toHaveLength(2);
    expect(sizeOf(pieces)).toBeLessThan(bytes.length + 600);
  });

  test('keeps what is known of a resource and a scope, wherever it stands, and drops what is not', () => {
    const item = protoField(2, Buffer.alloc(0));
    const [unknown, url, head] = [
      protoField(15, Buffer.alloc(900)),
      protoField(3, Buffer.from('u')),
      protoField(1, Buffer.alloc(0)),
    ];
    const scope = protoField(2, unknown, head, item, unknown, item, url);
    const bytes = protoField(1, unknown, head, head, scope, unknown, url);
    const kept = protoField(1, head, head, url, protoField(2, head, url, item, item));
    expect(piecesOf(bytes, 100)).toEqual([kept]);
  });

  test.each([
    ['a schema URL', protoField(3, Buffer.alloc(40_000, 'u'))],
    ['a repeated resource', Buffer.concat([protoField(1, protoField(15, Buffer.alloc(40_000))), protoField(1)])],
  ])('does not make much of little by repeating %s', (_name, head) => {
    const scope = protoField(
      2,
      ...Array.from({ length: 400 }, () => protoField(2, protoField(5, Buffer.alloc(200, 'n')))),
    );
    const bytes = protoField(1, head, scope);
    let made = 0;
    const split = splitExport(bytes, 41_000, (piece) => {
      made += piece.length;
    });
    expect(split).toBe(false);
    expect(made).toBeLessThan(3 * bytes.length);
    expect(piecesOf(bytes, 100_000)).toHaveLength(2);
  });
});
