import { SIGNALS, type SignalKind } from '@weir/pipeline';
import {
  decodeExport,
  decodeJsonExport,
  encodeExport,
  encodeJsonExport,
  exportRequest,
  readSample,
  SAMPLES,
} from '@weir/testkit';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { jsonToProtobuf } from './json.ts';

function converted(signal: SignalKind, json: string): Uint8Array {
  const result = jsonToProtobuf(signal, Buffer.from(json));
  if (!result.ok) throw new Error(result.message);
  return new Uint8Array(result.bytes);
}

function span(fields: string): string {
  return `{"resourceSpans":[{"scopeSpans":[{"spans":[{${fields}}]}]}]}`;
}

/** The one span of an export. */
function spanOf(fields: string) {
  return decodeExport('traces', converted('traces', span(fields))).resourceSpans[0]!.scopeSpans[0]!.spans[0]!;
}

function refusal(fields: string): string {
  const result = jsonToProtobuf('traces', Buffer.from(span(fields)));
  return result.ok ? 'taken' : result.message;
}

describe('OTLP/JSON', () => {
  test.each(SIGNALS)('of %s becomes what the official JSON mapping says', (signal) => {
    fc.assert(
      fc.property(exportRequest(signal), (init) => {
        const json = encodeJsonExport(signal, encodeExport(signal, init));
        expect(decodeExport(signal, converted(signal, json))).toEqual(decodeJsonExport(signal, json));
      }),
      { numRuns: 300 },
    );
  });

  test.each(SAMPLES)('of the sample $name becomes what the official JSON mapping says', ({ name, signal }) => {
    const json = readSample(name);
    expect(decodeExport(signal, converted(signal, json))).toEqual(decodeJsonExport(signal, json));
  });

  test('takes ids in either case', () => {
    const { traceId, spanId } = spanOf('"traceId":"5B8EFFF798038103D269b633813fc60C","spanId":"eEe19b7ec3c1b174"');
    expect(Buffer.from(traceId).toString('hex')).toBe('5b8efff798038103d269b633813fc60c');
    expect(Buffer.from(spanId).toString('hex')).toBe('eee19b7ec3c1b174');
  });

  test('keeps every digit of 64-bit integers, as strings and as numbers', () => {
    expect(spanOf('"startTimeUnixNano":1544712660300000001').startTimeUnixNano).toBe(1_544_712_660_300_000_001n);
    expect(spanOf('"startTimeUnixNano":"18446744073709551615"').startTimeUnixNano).toBe(2n ** 64n - 1n);
  });

  test('passes over unknown fields and null, whatever they are called', () => {
    expect(spanOf('"__proto__":{"name":"x"},"constructor":1,"name":null,"span_id":"zz"').name).toBe('');
  });

  test('keeps odd keys as data', () => {
    const pair = (key: string) => `{"key":"${key}","value":{"stringValue":"v"}}`;
    const { attributes } = spanOf(`"attributes":[${pair('__proto__')},${pair('constructor')}]`);
    expect(attributes.map(({ key }) => key)).toEqual(['__proto__', 'constructor']);
  });

  test('replaces lone surrogates', () => {
    expect(spanOf('"name":"a\\ud800b"').name).toBe('a\ufffdb');
  });

  test('an empty object is an empty export', () => {
    for (const signal of SIGNALS) expect(converted(signal, '{}')).toHaveLength(0);
  });
});

describe('JSON that is no export', () => {
  test.each([
    ['an enum as a name', '"kind":"SPAN_KIND_SERVER"', 'must be an integer'],
    ['an integer beyond 2^64', '"startTimeUnixNano":18446744073709551616', 'out of range'],
    ['a negative unsigned integer', '"droppedAttributesCount":-1', 'out of range'],
    ['a fraction', '"flags":1.5', 'must be an integer'],
    ['1e400', '"attributes":[{"key":"k","value":{"doubleValue":1e400}}]', 'must be a number'],
    ['odd hex', '"traceId":"abc"', 'must be hex'],
    ['an id that is no hex', '"traceId":"zz"', 'must be hex'],
    ['a string for a list', '"attributes":"x"', 'must be a list'],
    ['a list for a message', '"status":[]', 'must be an object'],
    ['a number for a string', '"name":5', 'must be a string'],
    ['a number for a bool', '"attributes":[{"key":"k","value":{"boolValue":1}}]', 'must be true or false'],
    ['a wrong base64', '"attributes":[{"key":"k","value":{"bytesValue":"*"}}]', 'must be base64'],
    ['base64 with a digit too many', '"attributes":[{"key":"k","value":{"bytesValue":"AQIDA"}}]', 'must be base64'],
    ['a value of two kinds', '"attributes":[{"key":"k","value":{"stringValue":"a","intValue":1}}]', 'set twice'],
  ])('is refused with the field: %s', (_name, fields, message) => {
    expect(refusal(fields)).toContain(message);
  });

  test('is refused where it is not JSON at all', () => {
    for (const text of ['', '{', 'null', '[]', '"x"', '{"resourceSpans":5}']) {
      expect(jsonToProtobuf('traces', Buffer.from(text)).ok, text).toBe(false);
    }
  });

  test('is refused where it nests 100,000 deep, without a stack overflow', () => {
    for (const [open, close] of [
      ['[', ']'],
      ['{"a":', '}'],
    ]) {
      const text = `{"x":${open!.repeat(100_000)}1${close!.repeat(100_000)}}`;
      expect(jsonToProtobuf('traces', Buffer.from(text))).toEqual({
        ok: false,
        reason: 'malformed',
        message: 'the JSON is nested too deep',
      });
    }
  });

  test.each([
    ['empty objects', '{},', ''],
    ['empty lists', '[],', ''],
    ['numbers', '1,', ''],
    ['numbers beside one with many digits', '1,', '12345678901234567,'],
    ['fields', '"a":1,"b":{"c":[]},', ''],
  ])('is too large where it holds millions of %s, and nothing is made of them', (_name, unit, first) => {
    const [open, close] = unit.startsWith('"') ? ['{', '"z":1}'] : ['[', '1]'];
    const text = `{"x":${open}${first}${unit.repeat((8 * 1024 ** 2) / unit.length)}${close}}`;
    const bytes = Buffer.from(text);
    const before = process.resourceUsage().maxRSS;
    const started = performance.now();
    expect(jsonToProtobuf('traces', bytes)).toMatchObject({ ok: false, reason: 'too_large' });
    expect(performance.now() - started).toBeLessThan(500);
    expect((process.resourceUsage().maxRSS - before) / 1_024).toBeLessThan(50);
  });

  test('may be as large as 10,000 spans, and is told apart from strings that hold as many signs', () => {
    const one =
      '{"traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b174","name":"n","startTimeUnixNano":"1"}';
    const many = Array.from({ length: 10_000 }, () => one).join();
    expect(jsonToProtobuf('traces', Buffer.from(`{"resourceSpans":[{"scopeSpans":[{"spans":[${many}]}]}]}`)).ok).toBe(
      true,
    );
    expect(spanOf(`"name":"${'{[,:'.repeat(1_000_000)}"`).name).toHaveLength(4_000_000);
  });

  test('with numbers of many digits may be half as large, since each value is looked at then', () => {
    const values = (count: number, digits: string) =>
      jsonToProtobuf('traces', Buffer.from(`{"x":[${digits}${',1'.repeat(count)}]}`));
    expect(values(600_000, '123456789012345')).toMatchObject({ ok: true });
    expect(values(600_000, '1234567890123456')).toMatchObject({ ok: false, reason: 'too_large' });
    expect(values(400_000, '1234567890123456')).toMatchObject({ ok: true });
  });

  test('is answered in a bounded time where one field has megabytes', () => {
    const started = performance.now();
    const zeros = '0'.repeat(20_000_000);
    expect(refusal(`"traceId":"${zeros}z"`)).toContain('must be hex');
    expect(refusal(`"startTimeUnixNano":"${zeros}"`)).toContain('must be an integer');
    expect(refusal(`"attributes":[{"key":"k","value":{"bytesValue":"${zeros}*"}}]`)).toContain('must be base64');
    expect(refusal(`"attributes":[{"key":"k","value":{"doubleValue":"${zeros}x"}}]`)).toContain('must be a number');
    expect(performance.now() - started).toBeLessThan(5_000);
  });

  test('of any text is an answer, never a throw', () => {
    fc.assert(
      fc.property(fc.constantFrom(...SIGNALS), fc.json({ maxDepth: 6 }), (signal, text) => {
        const key = signal === 'traces' ? 'resourceSpans' : signal === 'logs' ? 'resourceLogs' : 'resourceMetrics';
        for (const body of [text, `{"${key}":${text}}`, `{"${key}":[${text}]}`]) {
          const result = jsonToProtobuf(signal, Buffer.from(body));
          if (result.ok) decodeExport(signal, result.bytes);
        }
      }),
      { numRuns: 1_000 },
    );
  });
});
