import { SIGNALS, type SignalKind } from '@weir/pipeline';
import { decodeExport, expectedRows, type OfficialCounts, officialCounts, protoField } from '@weir/testkit';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Scanner } from './scan.ts';
import { createTotals } from './totals.ts';
import { ITEM_FAULTS } from './validity.ts';

const scanner = new Scanner();
const totals = createTotals();
const SLOW_NS = 1_000;
const OWNER = { tenant: 'a', retentionDays: 1, receivedAtNs: 1n };

/** A number as a varint, with so many bytes more than it takes. */
function varint(value: number, more = 0): Buffer {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 0x7f; rest >>>= 7) bytes.push((rest & 0x7f) | 0x80);
  bytes.push(rest);
  for (let i = 0; i < more; i++) {
    bytes[bytes.length - 1]! |= 0x80;
    bytes.push(0);
  }
  return Buffer.from(bytes);
}

const rarely = <T>(usual: T, ...others: T[]) =>
  fc.oneof({ weight: 8, arbitrary: fc.constant(usual) }, { weight: 1, arbitrary: fc.constantFrom(...others) });

const text = fc.oneof(
  fc.string({ maxLength: 20 }).map((value) => Buffer.from(value)),
  fc.string({ unit: 'binary', maxLength: 8 }).map((value) => Buffer.from(value)),
  fc.constantFrom(Buffer.from([0xc3]), Buffer.from([0x61, 0x80]), Buffer.alloc(127, 'a'), Buffer.alloc(128, 'a')),
);
const anyValue = fc.oneof(
  text.map((value) => protoField(1, value)),
  fc.integer({ min: 0, max: 300 }).map((value) => Buffer.concat([varint(3 << 3), varint(value)])),
  fc.constantFrom(Buffer.alloc(0), Buffer.from([0x18]), Buffer.from([0x0a, 5, 0x61]), Buffer.from([0x10, 1])),
);
const attribute = fc
  .tuple(text, anyValue)
  .map(([key, value]) => Buffer.concat([protoField(1, key), protoField(2, value)]));
const id = fc.integer({ min: 0, max: 17 }).chain((size) => fc.constantFrom(Buffer.alloc(size), Buffer.alloc(size, 7)));
const status = fc
  .constantFrom('1802', '1880', '188201', '12001802', '1802120161', '', '18')
  .map((hex) => Buffer.from(hex, 'hex'));

/** One field of an item: known or not, of any wire type, and not always as the shortest encoding has it. */
const oddField = fc
  .record({
    number: fc.integer({ min: 1, max: 17 }),
    type: fc.constantFrom(0, 1, 2, 2, 2, 2),
    content: fc.oneof(text, anyValue, attribute, attribute, id, status),
    value: fc.constantFrom(0, 1, 2, 17, 127, 128, 300),
    tagMore: rarely(0, 1, 4),
    lengthMore: rarely(0, 1, 2),
    off: rarely(0, -1, 1, 9),
  })
  .map(({ number, type, content, value, tagMore, lengthMore, off }) => {
    const tag = varint((number << 3) | type, tagMore);
    if (type === 0) return Buffer.concat([tag, varint(value, lengthMore)]);
    if (type === 1) return Buffer.concat([tag, Buffer.alloc(8 + Math.min(off, 0), value)]);
    return Buffer.concat([tag, varint(Math.max(0, content.length + off), lengthMore), content]);
  });

/** What an item needs to be stored. */
const SOUND: Readonly<Record<SignalKind, Buffer>> = {
  traces: Buffer.concat([
    protoField(1, Buffer.alloc(16, 1)),
    protoField(2, Buffer.alloc(8, 2)),
    Buffer.from('390000000000000010', 'hex'),
  ]),
  logs: Buffer.from('090000000000000010', 'hex'),
  metrics: Buffer.from('190000000000000010', 'hex'),
};

function inScope(signal: SignalKind, item: Buffer): Buffer {
  return signal === 'metrics' ? protoField(2, protoField(5, protoField(1, item))) : protoField(2, item);
}

function officially(signal: SignalKind, bytes: Buffer): OfficialCounts | undefined {
  try {
    const request = decodeExport(signal, bytes);
    const of = { owner: OWNER, slowNs: SLOW_NS, faults: ITEM_FAULTS };
    return officialCounts(signal, request, expectedRows(signal, request, OWNER), of);
  } catch {
    return undefined;
  }
}

test.each(SIGNALS)(
  'an item of %s is taken and counted as the official decoder would, whatever form its fields have',
  (signal) => {
    let [taken, refused] = [0, 0];
    fc.assert(
      fc.property(fc.array(oddField, { maxLength: 3 }), fc.boolean(), (fields, isFirst) => {
        const item = Buffer.concat(isFirst ? [SOUND[signal], ...fields] : [...fields, SOUND[signal]]);
        const bytes = protoField(1, protoField(2, inScope(signal, item)));
        if (!scanner.scan(signal, bytes, SLOW_NS, totals).ok) {
          refused++;
          return;
        }
        taken++;
        const { items, rejected, rejectedItems, errorItems, slowItems } = totals;
        const found = { items, rejected: [...rejected], rejectedItems, errorItems, slowItems };
        expect(found).toEqual(officially(signal, bytes));
      }),
      { numRuns: 4_000 },
    );
    expect(taken).toBeGreaterThan(1_000);
    expect(refused).toBeGreaterThan(500);
  },
);

const hex = (bytes: number, times: number) => bytes.toString(16).padStart(2, '0').repeat(times);
/** A length of two bytes, 1,280 and more, whose second one looks like the first tag of what would be there if it were of one. */
const LONG_PAIR = `8a0a42${hex(0x61, 66)}12440a42${hex(0x61, 66)}`;
const LONG_TEXT = `810a7f${hex(0x61, 127)}`;

/** The forms that are passed over as usual ones, and those that only look like them. */
test.each([
  ['traces', 'a parent of 8 bytes', '22080102030405060708', undefined],
  ['traces', 'a parent of 7 bytes', '220701020304050607', 'invalid_span_id'],
  ['traces', 'no bytes of a parent', '2200', undefined],
  ['traces', 'an error', '7a021802', 'error'],
  ['traces', 'an error behind a message', '7a051201611802', 'error'],
  ['traces', 'a code of two bytes that is cut', '7a021880', 'refused'],
  ['traces', 'an attribute', '4a0a0a016b12050a03616263', undefined],
  ['traces', 'an attribute that ends behind it', '4a0a0a016b12050a036162', 'refused'],
  ['traces', 'an attribute whose length goes on', `4a${LONG_PAIR}`, 'refused'],
  ['traces', 'a name that is no text', '2a01ff', 'refused'],
  ['traces', 'a name of two bytes a letter', '2a02c3a9', undefined],
  ['traces', 'a name that ends behind it', '2a0261', 'refused'],
  ['traces', 'a kind of two bytes', '30ac02', undefined],
  ['traces', 'a kind that is cut', '30ac', 'refused'],
  ['traces', 'an end that is cut', '4100000000000000', 'refused'],
  ['logs', 'an attribute', '320a0a016b12050a03616263', undefined],
  ['logs', 'an attribute that ends behind it', '320a0a016b12050a036162', 'refused'],
  ['logs', 'an attribute whose length goes on', `32${LONG_PAIR}`, 'refused'],
  ['logs', 'a text as its body', '2a050a03616263', undefined],
  ['logs', 'a body that ends behind it', '2a050a036162', 'refused'],
  ['logs', 'a body whose length goes on', `2a${LONG_TEXT}`, 'refused'],
  ['logs', 'a severity of ERROR', '1011', 'error'],
  ['logs', 'a severity that is cut', '1091', 'refused'],
  ['logs', 'a severity in words that is no text', '1a01ff', 'refused'],
  ['logs', 'a trace id of 15 bytes', `4a0f${hex(1, 15)}`, 'invalid_trace_id'],
  ['logs', 'a span id of 9 bytes', `5209${hex(1, 9)}`, 'invalid_span_id'],
  ['logs', 'a trace id that ends behind it', `4a10${hex(1, 15)}`, 'refused'],
  ['logs', 'an observed time that is cut', '5900000000000000', 'refused'],
  ['metrics', 'an attribute', '3a0a0a016b12050a03616263', undefined],
  ['metrics', 'an attribute that ends behind it', '3a0a0a016b12050a036162', 'refused'],
  ['metrics', 'an attribute whose length goes on', `3a${LONG_PAIR}`, 'refused'],
  ['metrics', 'a start that cannot be stored', `11${hex(0xff, 8)}`, 'invalid_time'],
  ['metrics', 'a value that is cut', '2100000000000000', 'refused'],
] as const)('an item of %s with %s', (signal, _, field, expected) => {
  const item = Buffer.concat([SOUND[signal], Buffer.from(field, 'hex')]);
  // What lies behind it in the same bytes is another item's.
  for (const behind of [[], [inScope(signal, SOUND[signal])]]) {
    const bytes = protoField(1, protoField(2, inScope(signal, item), ...behind));
    const { ok } = scanner.scan(signal, bytes, SLOW_NS, totals);
    expect([behind.length, ok]).toEqual([behind.length, expected !== 'refused']);
    if (!ok) continue;
    const fault = ITEM_FAULTS.find((_fault, index) => totals.rejected[index]! > 0);
    expect([totals.items, totals.errorItems > 0 ? 'error' : fault]).toEqual([1 + behind.length, expected]);
  }
});
