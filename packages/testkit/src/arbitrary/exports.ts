import type { SignalKind } from '@weir/pipeline';
import fc from 'fast-check';
import type { OracleRequestInit } from '../oracle/otlp.ts';
import { resource, schemaUrl, scope } from './envelopes.ts';
import { metric } from './metrics.ts';
import { anyValue, attributes, id, optionalId, optionalTime, text, time, uint32 } from './values.ts';

const badId = fc.oneof(
  fc.constant(new Uint8Array(0)),
  fc.constant(new Uint8Array(16)),
  fc.constant(new Uint8Array(8)),
  fc.uint8Array({ minLength: 1, maxLength: 20 }),
);
const badTime = fc.constantFrom(0n, 2n ** 64n - 1n, 2n ** 63n);

const event = fc.record({
  timeUnixNano: fc.oneof(optionalTime, badTime),
  name: text,
  attributes,
  droppedAttributesCount: uint32,
});

const link = fc.record({ traceId: optionalId(16), spanId: optionalId(8), traceState: text, attributes, flags: uint32 });

const spanFields = {
  traceId: id(16),
  spanId: id(8),
  traceState: text,
  parentSpanId: optionalId(8),
  name: text,
  kind: fc.integer({ min: -1, max: 7 }),
  startTimeUnixNano: time,
  endTimeUnixNano: optionalTime,
  attributes,
  droppedAttributesCount: uint32,
  events: fc.array(event, { maxLength: 3 }),
  links: fc.array(link, { maxLength: 3 }),
  status: fc.option(fc.record({ code: fc.integer({ min: 0, max: 4 }), message: text }), { nil: undefined }),
  flags: uint32,
};

const span = fc.record(spanFields);
const badSpan = fc.oneof(
  fc.record({ ...spanFields, traceId: badId }),
  fc.record({ ...spanFields, spanId: badId, parentSpanId: badId }),
  fc.record({ ...spanFields, startTimeUnixNano: badTime }),
  fc.record({ ...spanFields, endTimeUnixNano: badTime }),
);

const logFields = {
  timeUnixNano: optionalTime,
  observedTimeUnixNano: optionalTime,
  severityNumber: fc.oneof(fc.integer({ min: 0, max: 24 }), fc.constantFrom(-1, 255, 256, 2 ** 31 - 1)),
  severityText: text,
  body: fc.option(anyValue, { nil: undefined }),
  attributes,
  droppedAttributesCount: uint32,
  flags: uint32,
  traceId: optionalId(16),
  spanId: optionalId(8),
  eventName: text,
};

const logRecord = fc.record(logFields);
const badLogRecord = fc.oneof(
  fc.record({ ...logFields, traceId: badId, spanId: badId }),
  fc.record({ ...logFields, timeUnixNano: badTime }),
);

function few<T>(item: fc.Arbitrary<T>): fc.Arbitrary<T[]> {
  return fc.array(item, { maxLength: 3 });
}

function mostly<T>(good: fc.Arbitrary<T>, bad: fc.Arbitrary<T>): fc.Arbitrary<T> {
  return fc.oneof({ weight: 6, arbitrary: good }, { weight: 1, arbitrary: bad });
}

const ARBITRARIES = {
  traces: fc.record({
    resourceSpans: few(
      fc.record({
        resource,
        schemaUrl,
        scopeSpans: few(fc.record({ scope, schemaUrl, spans: few(mostly(span, badSpan)) })),
      }),
    ),
  }),
  logs: fc.record({
    resourceLogs: few(
      fc.record({
        resource,
        schemaUrl,
        scopeLogs: few(fc.record({ scope, schemaUrl, logRecords: few(mostly(logRecord, badLogRecord)) })),
      }),
    ),
  }),
  metrics: fc.record({
    resourceMetrics: few(
      fc.record({ resource, schemaUrl, scopeMetrics: few(fc.record({ scope, schemaUrl, metrics: few(metric) })) }),
    ),
  }),
};

/**
 * Exports of one signal with every field, deep values and odd texts; about one item in seven cannot be stored. The init
 * of an official message, to be encoded with `encodeExport`.
 */
export function exportRequest<S extends SignalKind>(signal: S): fc.Arbitrary<OracleRequestInit<S>> {
  return ARBITRARIES[signal] as unknown as fc.Arbitrary<OracleRequestInit<S>>;
}
