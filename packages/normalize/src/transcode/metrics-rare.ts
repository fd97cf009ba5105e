import { ArrayColumn, Column64, SmallColumn } from '@weir/native';
import type { WireReader } from '@weir/otlp';
import { readDouble } from './any-value.ts';
import { MessageFields } from './fields.ts';
import type { MetricHeader } from './metric-header.ts';
import { type PointTable, pointFault, pushDouble } from './metrics.ts';
import type { Origin } from './origin.ts';
import { ExemplarColumns, PointColumns } from './point-columns.ts';
import { READER_FAULT, WRITTEN } from './table.ts';
import { bucketShift, toBase } from './units.ts';

const ATTRIBUTES = (1 << 3) | 2;
const COUNT = 4;
const SUM = 5;
const SCALE = 6;
const ZERO_COUNT = 7;
const POSITIVE = 8;
const NEGATIVE = 9;
const FLAGS = 10;
const EXEMPLARS = (11 << 3) | 2;
const MIN = 12;
const MAX = 13;
const REPEATS = (1 << 1) | (1 << 11);
const BUCKETS_OFFSET = 1;
const BUCKETS_COUNTS = 2;

/** otel_metrics_exponential_histogram. */
export class ExponentialHistogramTable implements PointTable {
  readonly table = 'otel_metrics_exponential_histogram';
  readonly #points = new PointColumns();
  readonly #exemplars = new ExemplarColumns();
  readonly #count = new Column64('UInt64');
  readonly #sum = new Column64('Float64');
  readonly #scale = new SmallColumn('Int32');
  readonly #zeroCount = new Column64('UInt64');
  readonly #positiveOffset = new SmallColumn('Int32');
  readonly #positiveCounts = new ArrayColumn(new Column64('UInt64'));
  readonly #negativeOffset = new SmallColumn('Int32');
  readonly #negativeCounts = new ArrayColumn(new Column64('UInt64'));
  readonly #min = new Column64('Float64');
  readonly #max = new Column64('Float64');
  readonly #temporality = new SmallColumn('Int32');
  readonly #point = new MessageFields();
  readonly #buckets = new MessageFields();

  readonly columns = {
    ...this.#points.columns,
    Count: this.#count,
    Sum: this.#sum,
    Scale: this.#scale,
    ZeroCount: this.#zeroCount,
    PositiveOffset: this.#positiveOffset,
    PositiveBucketCounts: this.#positiveCounts,
    NegativeOffset: this.#negativeOffset,
    NegativeBucketCounts: this.#negativeCounts,
    ...this.#exemplars.columns,
    Min: this.#min,
    Max: this.#max,
    AggregationTemporality: this.#temporality,
  };

  get rows(): number {
    return this.#points.rows;
  }

  settle(): void {
    this.#points.settle();
  }

  clear(): void {
    this.#points.clear(this.columns);
    this.#exemplars.clear();
  }

  write(reader: WireReader, end: number, metric: MetricHeader, origin: Origin): number {
    const point = this.#point;
    if (!point.read(reader, end, REPEATS)) return READER_FAULT;
    const fault = pointFault(reader, point);
    if (fault !== WRITTEN) return fault;
    const scale = zigzag(point.varint(reader, SCALE));
    const shift = metric.base === undefined ? 0 : bucketShift(metric.base, scale);
    const base = shift === null ? undefined : metric.base;
    if (!this.#points.push(reader, point, ATTRIBUTES, FLAGS, metric, origin, shift !== null)) return READER_FAULT;
    this.#count.push(point.lo(reader, COUNT), point.hi(reader, COUNT));
    this.#zeroCount.push(point.lo(reader, ZERO_COUNT), point.hi(reader, ZERO_COUNT));
    pushDouble(reader, point, SUM, this.#sum, base);
    pushDouble(reader, point, MIN, this.#min, base);
    pushDouble(reader, point, MAX, this.#max, base);
    this.#scale.push(scale);
    this.#temporality.push(metric.temporality);
    const positive = this.#pushBuckets(reader, POSITIVE, shift ?? 0, this.#positiveOffset, this.#positiveCounts);
    const negative = this.#pushBuckets(reader, NEGATIVE, shift ?? 0, this.#negativeOffset, this.#negativeCounts);
    if (!positive || !negative) return READER_FAULT;
    if (!this.#exemplars.push(reader, point, EXEMPLARS, base)) return READER_FAULT;
    reader.pos = end;
    return WRITTEN;
  }

  #pushBuckets(
    reader: WireReader,
    field: number,
    shift: number,
    offset: SmallColumn,
    counts: ArrayColumn<Column64>,
  ): boolean {
    const start = this.#point.start[field]!;
    if (start < 0) {
      offset.push(0);
      counts.end();
      return true;
    }
    const buckets = this.#buckets;
    reader.pos = start;
    if (!buckets.read(reader, this.#point.end[field]!, 1 << BUCKETS_COUNTS)) return false;
    offset.push(zigzag(buckets.varint(reader, BUCKETS_OFFSET)) + shift);
    const { repeated, repeatedCount } = buckets;
    for (let i = 0; i < repeatedCount; i++) {
      const end = repeated[i * 3 + 2]!;
      reader.pos = repeated[i * 3 + 1]!;
      while (reader.pos < end) {
        const lo = reader.varint(end);
        if (lo < 0) return false;
        counts.items.push(lo, reader.hi);
      }
    }
    counts.end();
    return true;
  }
}

function zigzag(value: number): number {
  return (value >>> 1) ^ -(value & 1);
}

const SUMMARY_COUNT = 4;
const SUMMARY_SUM = 5;
const SUMMARY_QUANTILES = (6 << 3) | 2;
const SUMMARY_ATTRIBUTES = (7 << 3) | 2;
const SUMMARY_FLAGS = 8;
const SUMMARY_REPEATS = (1 << 6) | (1 << 7);
const QUANTILE = 1;
const QUANTILE_VALUE = 2;

/** otel_metrics_summary. */
export class SummaryTable implements PointTable {
  readonly table = 'otel_metrics_summary';
  readonly #points = new PointColumns();
  readonly #count = new Column64('UInt64');
  readonly #sum = new Column64('Float64');
  readonly #quantiles = new ArrayColumn(new Column64('Float64'));
  readonly #values = new ArrayColumn(new Column64('Float64'));
  readonly #point = new MessageFields();
  readonly #quantile = new MessageFields();

  readonly columns = {
    ...this.#points.columns,
    Count: this.#count,
    Sum: this.#sum,
    'ValueAtQuantiles.Quantile': this.#quantiles,
    'ValueAtQuantiles.Value': this.#values,
  };

  get rows(): number {
    return this.#points.rows;
  }

  settle(): void {
    this.#points.settle();
  }

  clear(): void {
    this.#points.clear(this.columns);
  }

  write(reader: WireReader, end: number, metric: MetricHeader, origin: Origin): number {
    const point = this.#point;
    if (!point.read(reader, end, SUMMARY_REPEATS)) return READER_FAULT;
    const fault = pointFault(reader, point);
    if (fault !== WRITTEN) return fault;
    if (!this.#points.push(reader, point, SUMMARY_ATTRIBUTES, SUMMARY_FLAGS, metric, origin, true)) return READER_FAULT;
    const { base } = metric;
    this.#count.push(point.lo(reader, SUMMARY_COUNT), point.hi(reader, SUMMARY_COUNT));
    pushDouble(reader, point, SUMMARY_SUM, this.#sum, base);
    const { repeated, repeatedCount } = point;
    for (let i = 0; i < repeatedCount; i++) {
      if (repeated[i * 3] !== SUMMARY_QUANTILES) continue;
      reader.pos = repeated[i * 3 + 1]!;
      if (!this.#quantile.read(reader, repeated[i * 3 + 2]!, 0)) return READER_FAULT;
      pushDouble(reader, this.#quantile, QUANTILE, this.#quantiles.items, undefined);
      const at = this.#quantile.start[QUANTILE_VALUE]!;
      const value = at < 0 ? 0 : readDouble(reader, at);
      this.#values.items.pushFloat(base === undefined ? value : toBase(value, base));
    }
    this.#quantiles.end();
    this.#values.end();
    reader.pos = end;
    return WRITTEN;
  }
}
