import { ArrayColumn, Column64, SmallColumn } from '@weir/native';
import { bucketsMatch, INVALID_TIME, MISMATCHED_BUCKETS, timeValid, type WireReader } from '@weir/otlp';
import type { TableName } from '@weir/records';
import { readDouble } from './any-value.ts';
import { MessageFields } from './fields.ts';
import type { MetricHeader } from './metric-header.ts';
import type { Origin } from './origin.ts';
import { ExemplarColumns, numberValue, PointColumns } from './point-columns.ts';
import { READER_FAULT, type TableBlock, WRITTEN } from './table.ts';
import { type BaseUnit, toBase } from './units.ts';

const START_TIME = 2;
const TIME = 3;

/** A table of data points. Writes one point whose message ends at `end`. */
export interface PointTable extends TableBlock {
  write(reader: WireReader, end: number, metric: MetricHeader, origin: Origin): number;
}

/** The same rules as the edge's scan: a point needs a time that can be stored. */
export function pointFault(reader: WireReader, point: MessageFields): number {
  const hi = point.hi(reader, TIME);
  if (!timeValid(hi) || (hi === 0 && point.lo(reader, TIME) === 0)) return INVALID_TIME;
  return timeValid(point.hi(reader, START_TIME)) ? WRITTEN : INVALID_TIME;
}

/** A double field in the base unit; 0 where it is missing. */
export function pushDouble(
  reader: WireReader,
  point: MessageFields,
  field: number,
  column: Column64,
  base: BaseUnit | undefined,
): void {
  const start = point.start[field]!;
  const value = start < 0 ? 0 : readDouble(reader, start);
  column.pushFloat(base === undefined ? value : toBase(value, base));
}

const NUMBER_DOUBLE = 4;
const NUMBER_EXEMPLARS = (5 << 3) | 2;
const NUMBER_INT = 6;
const NUMBER_ATTRIBUTES = (7 << 3) | 2;
const NUMBER_FLAGS = 8;
const NUMBER_REPEATS = (1 << 5) | (1 << 7);

/** otel_metrics_gauge and otel_metrics_sum. */
export class NumberTable implements PointTable {
  readonly table: TableName;
  readonly #points = new PointColumns();
  readonly #exemplars = new ExemplarColumns();
  readonly #value = new Column64('Float64');
  readonly #temporality = new SmallColumn('Int32');
  readonly #monotonic = new SmallColumn('Bool');
  readonly #point = new MessageFields();
  readonly columns;

  constructor(table: 'otel_metrics_gauge' | 'otel_metrics_sum') {
    this.table = table;
    const value = { ...this.#points.columns, Value: this.#value, ...this.#exemplars.columns };
    const sum = { ...value, AggregationTemporality: this.#temporality, IsMonotonic: this.#monotonic };
    this.columns = table === 'otel_metrics_gauge' ? value : sum;
  }

  get rows(): number {
    return this.#points.rows;
  }

  settle(): void {
    this.#points.settle();
  }

  clear(): void {
    this.#points.clear(this.columns);
    this.#temporality.clear();
    this.#monotonic.clear();
    this.#exemplars.clear();
  }

  write(reader: WireReader, end: number, metric: MetricHeader, origin: Origin): number {
    const point = this.#point;
    if (!point.read(reader, end, NUMBER_REPEATS)) return READER_FAULT;
    const fault = pointFault(reader, point);
    if (fault !== WRITTEN) return fault;
    if (!this.#points.push(reader, point, NUMBER_ATTRIBUTES, NUMBER_FLAGS, metric, origin, true)) return READER_FAULT;
    const value = numberValue(reader, point, NUMBER_DOUBLE, NUMBER_INT);
    this.#value.pushFloat(metric.base === undefined ? value : toBase(value, metric.base));
    this.#temporality.push(metric.temporality);
    this.#monotonic.push(metric.monotonic ? 1 : 0);
    if (!this.#exemplars.push(reader, point, NUMBER_EXEMPLARS, metric.base)) return READER_FAULT;
    reader.pos = end;
    return WRITTEN;
  }
}

const HISTOGRAM_COUNT = 4;
const HISTOGRAM_SUM = 5;
const HISTOGRAM_COUNTS = 6;
const HISTOGRAM_BOUNDS = 7;
const HISTOGRAM_EXEMPLARS = (8 << 3) | 2;
const HISTOGRAM_ATTRIBUTES = (9 << 3) | 2;
const HISTOGRAM_FLAGS = 10;
const HISTOGRAM_MIN = 11;
const HISTOGRAM_MAX = 12;
const HISTOGRAM_REPEATS = (1 << 6) | (1 << 7) | (1 << 8) | (1 << 9);

/** otel_metrics_histogram. */
export class HistogramTable implements PointTable {
  readonly table = 'otel_metrics_histogram';
  readonly #points = new PointColumns();
  readonly #exemplars = new ExemplarColumns();
  readonly #count = new Column64('UInt64');
  readonly #sum = new Column64('Float64');
  readonly #counts = new ArrayColumn(new Column64('UInt64'));
  readonly #bounds = new ArrayColumn(new Column64('Float64'));
  readonly #min = new Column64('Float64');
  readonly #max = new Column64('Float64');
  readonly #temporality = new SmallColumn('Int32');
  readonly #point = new MessageFields();

  readonly columns = {
    ...this.#points.columns,
    Count: this.#count,
    Sum: this.#sum,
    BucketCounts: this.#counts,
    ExplicitBounds: this.#bounds,
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
    if (!point.read(reader, end, HISTOGRAM_REPEATS)) return READER_FAULT;
    const fault = pointFault(reader, point);
    if (fault !== WRITTEN) return fault;
    const counts = wordCount(point, HISTOGRAM_COUNTS);
    const bounds = wordCount(point, HISTOGRAM_BOUNDS);
    if (!bucketsMatch(counts, bounds)) return MISMATCHED_BUCKETS;
    if (!this.#points.push(reader, point, HISTOGRAM_ATTRIBUTES, HISTOGRAM_FLAGS, metric, origin, true)) {
      return READER_FAULT;
    }
    const { base } = metric;
    this.#count.push(point.lo(reader, HISTOGRAM_COUNT), point.hi(reader, HISTOGRAM_COUNT));
    pushDouble(reader, point, HISTOGRAM_SUM, this.#sum, base);
    pushDouble(reader, point, HISTOGRAM_MIN, this.#min, base);
    pushDouble(reader, point, HISTOGRAM_MAX, this.#max, base);
    this.#temporality.push(metric.temporality);
    this.#pushBuckets(reader, base);
    if (!this.#exemplars.push(reader, point, HISTOGRAM_EXEMPLARS, base)) return READER_FAULT;
    reader.pos = end;
    return WRITTEN;
  }

  #pushBuckets(reader: WireReader, base: BaseUnit | undefined): void {
    const { repeated, repeatedCount } = this.#point;
    for (let i = 0; i < repeatedCount; i++) {
      const field = repeated[i * 3]! >>> 3;
      const end = repeated[i * 3 + 2]!;
      for (let at = repeated[i * 3 + 1]!; at < end; at += 8) {
        if (field === HISTOGRAM_COUNTS) this.#counts.items.push(reader.low32(at), reader.low32(at + 4));
        else if (field === HISTOGRAM_BOUNDS) {
          const bound = readDouble(reader, at);
          this.#bounds.items.pushFloat(base === undefined ? bound : toBase(bound, base));
        }
      }
    }
    this.#counts.end();
    this.#bounds.end();
  }
}

/** Elements of a repeated field of 8-byte values, packed or not. */
function wordCount(point: MessageFields, field: number): number {
  const { repeated, repeatedCount } = point;
  let words = 0;
  for (let i = 0; i < repeatedCount; i++) {
    if (repeated[i * 3]! >>> 3 === field) words += (repeated[i * 3 + 2]! - repeated[i * 3 + 1]!) >>> 3;
  }
  return words;
}
