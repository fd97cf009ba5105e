import { decodeExport, decodeJsonExport } from '@weir/testkit';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { JsonPayloadMaker } from './json-maker.ts';
import { ID_ATTRIBUTE, itemId, type LoadSignal, PayloadMaker } from './payload.ts';
import { createRandom } from './random.ts';

interface Attribute {
  readonly key: string;
  readonly value?: { readonly value: { readonly value?: unknown } } | undefined;
}

interface Item {
  readonly id: string;
  readonly attributes: number;
  readonly timesNs: readonly bigint[];
  readonly traceId: string;
  readonly failed: boolean;
}

function item(attributes: readonly Attribute[], rest: Omit<Item, 'id' | 'attributes'>): Item {
  const id = attributes.find(({ key }) => key === ID_ATTRIBUTE)?.value?.value.value;
  return { id: String(id), attributes: attributes.length, ...rest };
}

/** Reads JSON and protobuf alike. */
function decode<S extends LoadSignal>(signal: S, body: Buffer) {
  return body[0] === 0x7b ? decodeJsonExport(signal, body.toString()) : decodeExport(signal, body);
}

const MAKERS = { protobuf: PayloadMaker, json: JsonPayloadMaker };
const random = createRandom('payload', '');

/** The items of an export as the official definition reads it. */
function items(signal: LoadSignal, body: Buffer): Item[] {
  if (signal === 'traces') {
    const spans = decode('traces', body).resourceSpans.flatMap(({ scopeSpans }) =>
      scopeSpans.flatMap((scope) => scope.spans),
    );
    return spans.map((span) =>
      item(span.attributes, {
        timesNs: [span.startTimeUnixNano, span.endTimeUnixNano],
        traceId: `${Buffer.from(span.traceId).toString('hex')}/${Buffer.from(span.spanId).toString('hex')}`,
        failed: span.status?.code === 2,
      }),
    );
  }
  if (signal === 'logs') {
    const logs = decode('logs', body).resourceLogs.flatMap(({ scopeLogs }) =>
      scopeLogs.flatMap((scope) => scope.logRecords),
    );
    return logs.map((log) =>
      item(log.attributes, {
        timesNs: [log.timeUnixNano],
        traceId: `${Buffer.from(log.traceId).toString('hex')}/${Buffer.from(log.spanId).toString('hex')}`,
        failed: log.severityNumber === 17,
      }),
    );
  }
  const metrics = decode('metrics', body).resourceMetrics.flatMap(({ scopeMetrics }) =>
    scopeMetrics.flatMap((scope) => scope.metrics),
  );
  return metrics.flatMap(({ data }) => {
    if (data.case !== 'gauge') throw new Error('not a gauge');
    return data.value.dataPoints.map((point) => {
      const made = item(point.attributes, { timesNs: [point.timeUnixNano], traceId: '', failed: false });
      return { ...made, id: `${made.id}${String(point.value.value).padStart(12, '0')}` };
    });
  });
}

const CASES = (['traces', 'logs', 'metrics'] as const).flatMap((signal) =>
  (['protobuf', 'json'] as const).map((encoding) => ({ signal, encoding })),
);
const WITH_ERRORS = CASES.filter(({ signal }) => signal !== 'metrics');

test.each(CASES)(
  'the official decoder finds in $encoding $signal what the maker says it made, for any producer and size',
  ({ signal, encoding }) => {
    const sizes = fc.array(fc.integer({ min: 1, max: 150 }), { minLength: 1, maxLength: 3 });
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2_000 }), sizes, (producer, counts) => {
        const maker = new MAKERS[encoding](signal, '00ab12cd', producer, 0.05, random);
        let next = 0;
        for (const count of counts) {
          const beforeNs = BigInt(Date.now()) * 1_000_000n;
          const { body, items: made, first } = maker.make(count);
          const found = items(signal, body);
          expect([made, first, found.length]).toEqual([count, next, count]);
          expect(found.map(({ id }) => id)).toEqual(
            Array.from({ length: count }, (_, number) => itemId('00ab12cd', producer, next + number)),
          );
          for (const { attributes, timesNs } of found) {
            expect(attributes).toBe(8);
            expect(timesNs[0]).toBeGreaterThanOrEqual(beforeNs);
            expect(timesNs[0]).toBeLessThanOrEqual(BigInt(Date.now()) * 1_000_000n);
            if (timesNs[1] !== undefined) {
              expect(timesNs[1] - timesNs[0]!).toBeGreaterThan(0n);
              expect(timesNs[1] - timesNs[0]!).toBeLessThan(100_000_000n);
            }
          }
          next += count;
        }
      }),
      { numRuns: 15, seed: 20_261_121 },
    );
  },
);

test.each(CASES)('items of $encoding $signal have the times that they are given', ({ signal, encoding }) => {
  const times = [86_400_001, Date.UTC(2100, 11, 31)];
  let next = 0;
  const maker = new MAKERS[encoding](signal, 'run', 1, 0, random, () => times[next++ % 2]!);
  const found = items(signal, maker.make(2).body).map(({ timesNs }) => Number(timesNs[0]! / 1_000_000n));
  expect(found).toEqual(times);
});

test.each(WITH_ERRORS)('ids of $encoding $signal are random and never zero', ({ signal, encoding }) => {
  const found = items(signal, new MAKERS[encoding](signal, 'run', 1, 0, random).make(2_000).body);
  expect(new Set(found.map(({ traceId }) => traceId)).size).toBe(2_000);
  for (const { traceId } of found) expect(traceId).not.toMatch(/^0+\/|\/0+$/);
});

test.each(WITH_ERRORS)('the share of errors in $encoding $signal is what was asked for', ({ signal, encoding }) => {
  const failed = (share: number) =>
    items(signal, new MAKERS[encoding](signal, 'run', 1, share, random).make(4_000).body).filter((one) => one.failed)
      .length;
  expect(failed(0)).toBe(0);
  expect(failed(1)).toBe(4_000);
  expect(failed(0.05)).toBeGreaterThan(120);
  expect(failed(0.05)).toBeLessThan(280);
});

test('the same seed and producer make the same bytes but for the time, another one others', () => {
  const traceIds = (seed: string, producer: string) =>
    items('traces', new PayloadMaker('traces', 'run', 1, 0.5, createRandom(seed, producer)).make(20).body).map(
      ({ traceId, failed }) => [traceId, failed],
    );
  expect(traceIds('a', '1')).toEqual(traceIds('a', '1'));
  expect(traceIds('a', '1')).not.toEqual(traceIds('a', '2'));
  expect(traceIds('a', '1')).not.toEqual(traceIds('b', '1'));
});

test('every so many spans the last has an exception, at the time of the span', () => {
  const maker = new PayloadMaker('traces', 'run', 1, 0, random, () => 86_400_001, { exceptionEvery: 10 });
  for (const expected of [9, 4]) {
    const request = decodeExport('traces', maker.make(25).body);
    const spans = request.resourceSpans.flatMap(({ scopeSpans }) => scopeSpans.flatMap((scope) => scope.spans));
    const withEvent = spans.flatMap(({ events }, at) => (events.length > 0 ? [at] : []));
    expect(withEvent).toEqual(Array.from({ length: expected === 9 ? 2 : 3 }, (_, i) => expected + i * 10));
    const [event] = spans[expected]!.events;
    expect([event!.name, event!.timeUnixNano, event!.attributes.map(({ key }) => key)]).toEqual([
      'exception',
      86_400_001_000_000n,
      ['exception.type', 'exception.message'],
    ]);
    expect(spans.map(({ startTimeUnixNano }) => startTimeUnixNano)).toEqual(spans.map(() => 86_400_001_000_000n));
  }
});
