import type { MessageInitShape } from '@bufbuild/protobuf';
import fc from 'fast-check';
import type { AnyValueSchema, KeyValueSchema } from '../oracle/generated/opentelemetry/proto/common/v1/common_pb.ts';

export type AnyValueInit = MessageInitShape<typeof AnyValueSchema>;
export type KeyValueInit = MessageInitShape<typeof KeyValueSchema>;

/** Text of all kinds: plain, other scripts, quotes, control characters, markup, beyond the basic plane. */
export const text: fc.Arbitrary<string> = fc.oneof(
  { weight: 4, arbitrary: fc.string({ maxLength: 24 }) },
  { weight: 3, arbitrary: fc.string({ unit: 'grapheme', maxLength: 24 }) },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      '',
      '\0',
      '\r\n',
      "'; DROP TABLE otel_traces; --",
      '__proto__',
      '<&>',
      '"\\',
      '𝒳\u2028',
      'µs',
    ),
  },
  { weight: 1, arbitrary: fc.string({ unit: 'grapheme', minLength: 100, maxLength: 300 }) },
);

export const int64: fc.Arbitrary<bigint> = fc.oneof(
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  fc.bigInt({ min: -1000n, max: 1000n }),
);

export const uint64: fc.Arbitrary<bigint> = fc.oneof(
  fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
  fc.bigInt({ min: 0n, max: 100_000n }),
);

export const uint32: fc.Arbitrary<number> = fc.oneof(fc.nat({ max: 2 ** 32 - 1 }), fc.constant(0));

/** Doubles, those that are written in special ways among them. */
export const double: fc.Arbitrary<number> = fc.oneof(
  { weight: 3, arbitrary: fc.double() },
  { weight: 2, arbitrary: fc.integer({ min: -10_000, max: 10_000 }).map((value) => value / 8) },
  {
    weight: 1,
    arbitrary: fc.constantFrom(0, -0, 1e21, 1e20, 1e-6, 1e-7, 123456789.123, 5e-324, Number.MAX_VALUE, Number.NaN),
  },
);

const bytes = fc.uint8Array({ maxLength: 12 });

const { value: anyValueOf } = fc.letrec<{ value: AnyValueInit; pair: KeyValueInit }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 3, depthSize: 'small' },
    { weight: 5, arbitrary: text.map((value) => ({ value: { case: 'stringValue' as const, value } })) },
    { weight: 1, arbitrary: fc.boolean().map((value) => ({ value: { case: 'boolValue' as const, value } })) },
    { weight: 2, arbitrary: int64.map((value) => ({ value: { case: 'intValue' as const, value } })) },
    { weight: 2, arbitrary: double.map((value) => ({ value: { case: 'doubleValue' as const, value } })) },
    { weight: 1, arbitrary: bytes.map((value) => ({ value: { case: 'bytesValue' as const, value } })) },
    { weight: 1, arbitrary: fc.constant({}) },
    {
      weight: 1,
      arbitrary: fc
        .array(tie('value'), { maxLength: 4 })
        .map((values) => ({ value: { case: 'arrayValue' as const, value: { values } } })),
    },
    {
      weight: 1,
      arbitrary: fc
        .array(tie('pair'), { maxLength: 4 })
        .map((values) => ({ value: { case: 'kvlistValue' as const, value: { values } } })),
    },
  ),
  pair: fc.record({ key: text, value: tie('value') }),
}));

/** An attribute value or a log body: every kind, nested and empty. */
export const anyValue: fc.Arbitrary<AnyValueInit> = anyValueOf;

const KEYS = ['http.request.method', 'url.path', 'service.name', 'server.port', 'exception.message', 'k8s.pod.name'];

/** Attributes, now and then with one key twice or a pair without a value. */
export const attributes: fc.Arbitrary<KeyValueInit[]> = fc.array(
  fc.record({ key: fc.oneof(fc.constantFrom(...KEYS), text), value: anyValue }, { requiredKeys: ['key'] }),
  { maxLength: 6 },
);

/** Bytes of an id: `size` of them, not all zero. */
export function id(size: number): fc.Arbitrary<Uint8Array> {
  return fc.uint8Array({ minLength: size, maxLength: size }).map((value) => {
    if (value.every((byte) => byte === 0)) value[size - 1] = 1;
    return value;
  });
}

/** An id that may be left out: right, empty, or all zero. */
export function optionalId(size: number): fc.Arbitrary<Uint8Array> {
  return fc.oneof(
    { weight: 4, arbitrary: id(size) },
    { weight: 2, arbitrary: fc.constant(new Uint8Array(0)) },
    { weight: 1, arbitrary: fc.constant(new Uint8Array(size)) },
  );
}

/** The last time (ns since the epoch) that can be stored: the end of 2261, on a bound of 2^32 ns. */
export const TIME_MAX = ((9_214_646_400_000_000_000n >> 32n) << 32n) - 1n;

const NOW = 1_795_000_000n * 1_000_000_000n;

/** A time that is set and can be stored, mostly near one day. */
export const time: fc.Arbitrary<bigint> = fc.oneof(
  { weight: 4, arbitrary: fc.bigInt({ min: NOW, max: NOW + 86_400_000_000_000n }) },
  { weight: 1, arbitrary: fc.bigInt({ min: 1n, max: TIME_MAX }) },
);

/** A time that may be 0. */
export const optionalTime: fc.Arbitrary<bigint> = fc.oneof(time, fc.constant(0n));
