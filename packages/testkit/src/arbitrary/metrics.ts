import fc from 'fast-check';
import { attributes, double, int64, optionalId, optionalTime, text, time, uint32, uint64 } from './values.ts';

const UNITS = [
  '',
  '1',
  's',
  'ms',
  'us',
  'µs',
  'ns',
  'min',
  'h',
  'd',
  'By',
  'KiBy',
  'MiBy',
  'kBy',
  'MBy',
  '%',
  '{request}',
];

const badTime = fc.constantFrom(0n, 2n ** 64n - 1n);

/** Times of a point; now and then one that cannot be stored. */
const pointTime = fc.oneof({ weight: 9, arbitrary: time }, { weight: 1, arbitrary: badTime });

const value = fc.oneof(
  double.map((number) => ({ case: 'asDouble' as const, value: number })),
  int64.map((number) => ({ case: 'asInt' as const, value: number })),
  fc.constant({ case: undefined, value: undefined }),
);

const exemplars = fc.array(
  fc.record({
    filteredAttributes: attributes,
    timeUnixNano: fc.oneof({ weight: 5, arbitrary: optionalTime }, { weight: 1, arbitrary: badTime }),
    value,
    spanId: optionalId(8),
    traceId: optionalId(16),
  }),
  { maxLength: 2 },
);

const common = { attributes, startTimeUnixNano: optionalTime, timeUnixNano: pointTime, flags: uint32 };
const optionalDouble = fc.option(double, { nil: undefined });

const numberPoint = fc.record({ ...common, value, exemplars });

const histogramPoint = fc.record({
  ...common,
  count: uint64,
  sum: optionalDouble,
  buckets: fc.oneof(
    { weight: 1, arbitrary: fc.constant({ bucketCounts: [], explicitBounds: [] }) },
    {
      weight: 5,
      arbitrary: fc.array(fc.tuple(uint64, double), { maxLength: 8 }).map((pairs) => ({
        bucketCounts: [...pairs.map(([count]) => count), 7n],
        explicitBounds: pairs.map(([, bound]) => bound),
      })),
    },
    { weight: 1, arbitrary: fc.constant({ bucketCounts: [1n, 2n], explicitBounds: [1, 2, 3] }) },
    { weight: 1, arbitrary: fc.constant({ bucketCounts: [], explicitBounds: [1] }) },
  ),
  exemplars,
  min: optionalDouble,
  max: optionalDouble,
});

const buckets = fc.option(
  fc.record({ offset: fc.integer({ min: -100_000, max: 100_000 }), bucketCounts: fc.array(uint64, { maxLength: 6 }) }),
  { nil: undefined },
);

const exponentialPoint = fc.record({
  ...common,
  count: uint64,
  sum: optionalDouble,
  scale: fc.oneof(fc.integer({ min: -10, max: 20 }), fc.constant(0)),
  zeroCount: uint64,
  positive: buckets,
  negative: buckets,
  exemplars,
  min: optionalDouble,
  max: optionalDouble,
  zeroThreshold: double,
});

const summaryPoint = fc.record({
  ...common,
  count: uint64,
  sum: double,
  quantileValues: fc.array(fc.record({ quantile: double, value: double }), { maxLength: 3 }),
});

function points<T>(point: fc.Arbitrary<T>): fc.Arbitrary<T[]> {
  return fc.array(point, { maxLength: 3 });
}

const temporality = fc.integer({ min: 0, max: 3 });

const data = fc.oneof(
  points(numberPoint).map((dataPoints) => ({ case: 'gauge' as const, value: { dataPoints } })),
  fc
    .record({ dataPoints: points(numberPoint), aggregationTemporality: temporality, isMonotonic: fc.boolean() })
    .map((sum) => ({ case: 'sum' as const, value: sum })),
  fc
    .record({
      dataPoints: points(histogramPoint.map(({ buckets: both, ...point }) => ({ ...point, ...both }))),
      aggregationTemporality: temporality,
    })
    .map((histogram) => ({ case: 'histogram' as const, value: histogram })),
  fc
    .record({ dataPoints: points(exponentialPoint), aggregationTemporality: temporality })
    .map((histogram) => ({ case: 'exponentialHistogram' as const, value: histogram })),
  points(summaryPoint).map((dataPoints) => ({ case: 'summary' as const, value: { dataPoints } })),
  fc.constant({ case: undefined, value: undefined }),
);

/** A metric of any kind, in a unit that has a base unit, is one, or is none. */
export const metric = fc.record({
  name: text,
  description: text,
  unit: fc.oneof({ weight: 5, arbitrary: fc.constantFrom(...UNITS) }, { weight: 1, arbitrary: text }),
  data,
  metadata: attributes,
});
