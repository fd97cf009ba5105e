import { SIGNALS } from '@weir/pipeline';
import { decodeExport, encodeExport, exportRequest } from '@weir/testkit';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { jsonToProtobuf } from './json.ts';
import { protobufToJson } from './to-json.ts';

test.each(SIGNALS)('an export of %s written as OTLP/JSON reads back as the same export', (signal) => {
  fc.assert(
    fc.property(exportRequest(signal), (init) => {
      const bytes = encodeExport(signal, init);
      const json = JSON.stringify(protobufToJson(signal, bytes));
      const back = jsonToProtobuf(signal, Buffer.from(json));
      if (!back.ok) throw new Error(back.message);
      expect(decodeExport(signal, new Uint8Array(back.bytes))).toEqual(decodeExport(signal, bytes));
    }),
    { numRuns: 300 },
  );
});

test('ids are hex, 64-bit integers keep every digit, and a oneof that is set twice is what came last', () => {
  const spans = [{ traceId: new Uint8Array(16).fill(0xab), startTimeUnixNano: 2n ** 64n - 1n, name: 'é' }];
  const bytes = encodeExport('traces', { resourceSpans: [{ scopeSpans: [{ spans }] }] });
  expect(protobufToJson('traces', bytes)).toEqual({
    resourceSpans: [
      { scopeSpans: [{ spans: [{ traceId: 'ab'.repeat(16), startTimeUnixNano: '18446744073709551615', name: 'é' }] }] },
    ],
  });
  const twice = Buffer.concat([head(0x0a, head(0x0a, head(0x0a, attribute())))]);
  expect(protobufToJson('traces', twice)).toEqual({
    resourceSpans: [{ resource: { attributes: [{ value: { intValue: '7' } }] } }],
  });
});

test('what is not an export is nothing', () => {
  for (const text of ['ff', '0aff', '0d01020304', '07', '0a0308']) {
    expect(protobufToJson('traces', Buffer.from(text, 'hex'))).toBeUndefined();
  }
  const deep = Array.from({ length: 300 }).reduce<Buffer>((inner) => head(0x2a, head(0x0a, inner)), Buffer.alloc(0));
  expect(protobufToJson('logs', head(0x0a, head(0x0a, head(0x0a, head(0x12, deep)))))).toBeUndefined();
});

/** A KeyValue whose value is first a text, then an integer. */
function attribute(): Buffer {
  return head(0x12, Buffer.from([0x0a, 1, 0x61, 0x18, 7]));
}

function head(tag: number, content: Buffer): Buffer {
  const length: number[] = [];
  let rest = content.length;
  for (; rest > 0x7f; rest >>>= 7) length.push((rest & 0x7f) | 0x80);
  return Buffer.concat([Buffer.from([tag, ...length, rest]), content]);
}
