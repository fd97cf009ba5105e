import { decodeExport } from '@weir/testkit';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ID_ATTRIBUTE, itemId, type LoadSignal, PayloadMaker } from './payload.ts';

interface Attribute {
  readonly key: string;
  readonly value?: { readonly value: { readonly value?: unknown } };
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

/** The items of an export as the official definition reads it. */
function items(signal: LoadSignal, body: Uint8Array): Item[] {
  if (signal === 'traces') {
    const spans = decodeExport('traces', body).resourceSpans.flatMap(({ scopeSpans }) =>
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
    const logs = decodeExport('logs', body).resourceLogs.flatMap(({ scopeLogs }) =>
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
  const metrics = decodeExport('metrics', body).resourceMetrics.flatMap(({ scopeMetrics }) =>
    scopeMetrics.flatMap((scope) => scope.metrics),
  );
  return metrics.flatMap(({ data }) => {
    if (data.case !== 'gauge') throw new Error('not a gauge');
    return data.value.dataPoints.map((point) =>
      item(point.attributes, { timesNs: [point.timeUnixNano], traceId: '', failed: false }),
    );
  });
}

const SIGNALS = ['traces', 'logs', 'metrics'] as const;

test.each(SIGNALS)(
  'the official decoder finds in %s what the maker says it made, for any producer and size',
  (signal) => {
    const sizes = fc.array(fc.integer({ min: 1, max: 400 }), { minLength: 1, maxLength: 3 });
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2_000 }), sizes, (producer, counts) => {
        const maker = new PayloadMaker(signal, '00ab12cd', producer, 0.05);
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
      { numRuns: 30, seed: 20_261_121 },
    );
  },
);

test.each(['traces', 'logs'] as const)('ids of %s are random and never zero', (signal) => {
  const found = items(signal, new PayloadMaker(signal, 'run', 1, 0).make(2_000).body);
  expect(new Set(found.map(({ traceId }) => traceId)).size).toBe(2_000);
  for (const { traceId } of found) expect(traceId).not.toMatch(/^0+\/|\/0+$/);
});

test.each(['traces', 'logs'] as const)('the share of errors in %s is what was asked for', (signal) => {
  const failed = (share: number) =>
    items(signal, new PayloadMaker(signal, 'run', 1, share).make(20_000).body).filter((one) => one.failed).length;
  expect(failed(0)).toBe(0);
  expect(failed(1)).toBe(20_000);
  expect(failed(0.05)).toBeGreaterThan(800);
  expect(failed(0.05)).toBeLessThan(1_200);
});
