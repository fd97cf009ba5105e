import { EXEMPLAR, type ItemCheck, takeAttribute, takeHolder } from './item-check.ts';
import { plainAttributeEnd } from './plain-field.ts';
import { ITEM_DEPTH, type ItemScanner, TIME_BYTES, timePresent, valueStart } from './scan-item.ts';
import { CHILDREN, MESSAGE_NAMES, type MessageName, messageIndex } from './schema.ts';
import { checkField } from './structure.ts';
import { countItem, ROW_BYTES, type ScanTotals } from './totals.ts';
import { bucketsMatch, INVALID_TIME, MISMATCHED_BUCKETS, timeValid, VALID } from './validity.ts';
import { isAscii, type WireReader } from './wire.ts';

const METRIC = messageIndex('Metric');
const HISTOGRAM_POINT = messageIndex('HistogramDataPoint');
/** Tags of attributes and exemplars, by kind of point; 0 where it has none. */
const POINT_ATTRIBUTES = tagsOf({
  NumberDataPoint: 7,
  HistogramDataPoint: 9,
  ExponentialHistogramDataPoint: 1,
  SummaryDataPoint: 7,
});
const POINT_EXEMPLARS = tagsOf({ NumberDataPoint: 5, HistogramDataPoint: 8, ExponentialHistogramDataPoint: 11 });
const NAME = (1 << 3) | 2;
const DESCRIPTION = (2 << 3) | 2;
const UNIT_TEXT = (3 << 3) | 2;
const POINT_DEPTH = ITEM_DEPTH + 2;
/** Name, description and unit are fields 1 to 3. */
const UNIT = 3;
const DATA_POINTS = (1 << 3) | 2;
const START_TIME = (2 << 3) | 1;
const TIME = (3 << 3) | 1;
/** A number's double, and the count of all other points. */
const VALUE_OR_COUNT = (4 << 3) | 1;
const BUCKET_COUNTS = 6;
const EXPLICIT_BOUNDS = 7;

/** Whether a field of Metric is one of the five kinds of data. */
export function isMetricData(field: number): boolean {
  return field === 5 || field === 7 || field === 9 || field === 10 || field === 11;
}

/**
 * A metric: each of its data points is an item. Where a metric holds several kinds of data only the last counts, and of
 * that only what stands after the last change of kind, as for any oneof.
 */
export const scanMetric: ItemScanner = (reader, end, check, totals) => {
  const countFrom = lastRunOfData(reader, end, check);
  if (countFrom < 0) return false;
  const before = totals.items;
  let headBytes = 0;
  const { buf } = reader;
  const last = end - 1;
  while (reader.pos < end) {
    const at = reader.pos;
    const first = buf[at]!;
    if ((first === NAME || first === DESCRIPTION || first === UNIT_TEXT) && at < last) {
      const stop = at + 2 + buf[at + 1]!;
      if (stop <= end && isAscii(reader, at + 1, stop)) {
        headBytes += stop - at;
        reader.pos = stop;
        continue;
      }
    }
    const tag = reader.tag(end);
    if (tag < 0) return false;
    if (!isMetricData(tag >>> 3) || (tag & 7) !== 2 || at < countFrom) {
      if (!checkField(reader, METRIC, tag, end, ITEM_DEPTH)) return false;
      if (tag >>> 3 <= UNIT) headBytes += reader.pos - at;
      continue;
    }
    const stop = reader.length(end);
    if (stop < 0) return false;
    const data = CHILDREN[(METRIC << 5) | (tag >>> 3)]!;
    if (!scanData(reader, data, stop, check, totals)) return false;
  }
  // Without data points it is no item and no row, but whoever splits or walks the export meets it like one.
  if (totals.items === before) totals.repeatedBytes += ROW_BYTES;
  totals.repeatedBytes += headBytes * (totals.items - before);
  return true;
};

function tagsOf(fields: Partial<Record<MessageName, number>>): Uint8Array {
  const tags = new Uint8Array(MESSAGE_NAMES.length);
  for (const [name, field] of Object.entries(fields)) tags[messageIndex(name as MessageName)] = (field << 3) | 2;
  return tags;
}

/**
 * Offset of the first data field of the run that counts; the position is left where it was. -1 once there is a fault.
 * Finds the name as well, which may stand behind the data that it names.
 */
function lastRunOfData(reader: WireReader, end: number, { series }: ItemCheck): number {
  const start = reader.pos;
  let nameStart = start;
  let nameEnd = start;
  let kind = 0;
  let from = start;
  while (reader.pos < end) {
    const at = reader.pos;
    const tag = reader.tag(end);
    const valueAt = reader.pos;
    if (tag < 0 || !reader.skip(tag & 7, end)) return -1;
    const field = tag >>> 3;
    if (tag === NAME) {
      nameStart = valueStart(reader.buf, valueAt);
      nameEnd = reader.pos;
    }
    if (!isMetricData(field) || field === kind) continue;
    kind = field;
    from = at;
  }
  series?.beginMetric(reader.buf, nameStart, nameEnd);
  reader.pos = start;
  return from;
}

function scanData(reader: WireReader, data: number, end: number, check: ItemCheck, totals: ScanTotals): boolean {
  const point = CHILDREN[(data << 5) | 1]!;
  while (reader.pos < end) {
    const tag = reader.tag(end);
    if (tag < 0) return false;
    if (tag !== DATA_POINTS) {
      if (!checkField(reader, data, tag, end, ITEM_DEPTH + 1)) return false;
      continue;
    }
    const stop = reader.length(end);
    if (stop < 0 || !scanPoint(reader, point, stop, check, totals)) return false;
  }
  return true;
}

/** A data point needs a time; a histogram needs one bucket count more than it has bounds, or neither. */
function scanPoint(reader: WireReader, point: number, end: number, check: ItemCheck, totals: ScanTotals): boolean {
  const { series } = check;
  const { buf } = reader;
  const last = end - 1;
  const attributes = POINT_ATTRIBUTES[point]!;
  const exemplars = POINT_EXEMPLARS[point]!;
  let timeAt = -1;
  let startValid = true;
  let counts = 0;
  let bounds = 0;
  check.begin();
  series?.beginPoint();
  while (reader.pos < end) {
    const { pos } = reader;
    // As of a span: what is of one byte's tag and length, and as nearly all are.
    if (pos < last) {
      const first = buf[pos]!;
      if (first === attributes) {
        const start = pos + 2;
        const stop = plainAttributeEnd(reader, pos + 1, end);
        if (stop >= 0) {
          check.attributes++;
          if (stop - start > check.quietBytes) check.measure(buf, start, stop);
          series?.attribute(buf, start, stop);
          reader.pos = stop;
          continue;
        }
      } else if (first === START_TIME || first === TIME || first === VALUE_OR_COUNT) {
        const stop = pos + 1 + TIME_BYTES;
        if (stop <= end) {
          if (first === TIME) timeAt = pos + 1;
          else if (first === START_TIME) startValid = timeValid(reader.word(stop - 4));
          reader.pos = stop;
          continue;
        }
      }
    }
    const tag = reader.tag(end);
    if (tag < 0) return false;
    const at = reader.pos;
    if (tag === attributes) {
      if (!takeAttribute(reader, end, POINT_DEPTH + 1, check)) return false;
      series?.attribute(reader.buf, valueStart(reader.buf, at), reader.pos);
      continue;
    }
    if (tag === exemplars) {
      if (!takeHolder(reader, EXEMPLAR, end, POINT_DEPTH + 1, check)) return false;
      continue;
    }
    if (!checkField(reader, point, tag, end, POINT_DEPTH)) return false;
    if (tag === TIME) timeAt = at;
    else if (tag === START_TIME) startValid = timeValid(reader.word(at + 4));
    else if (point === HISTOGRAM_POINT) {
      const field = tag >>> 3;
      if (field === BUCKET_COUNTS) counts += elements(reader, tag, at);
      else if (field === EXPLICIT_BOUNDS) bounds += elements(reader, tag, at);
    }
  }
  let fault = VALID;
  if (timeAt < 0 || !timePresent(reader, timeAt) || !startValid) fault = INVALID_TIME;
  else if (!bucketsMatch(counts, bounds)) fault = MISMATCHED_BUCKETS;
  else if (check.attributes > check.attributesMax || check.noted !== 0) {
    fault = check.fault(reader.word(timeAt), reader.word(timeAt + 4));
  }
  if (fault === VALID && series !== undefined) fault = check.seriesFault(series);
  countItem(totals, fault);
  return true;
}

function elements(reader: WireReader, tag: number, at: number): number {
  return (tag & 7) === 2 ? (reader.pos - valueStart(reader.buf, at)) >>> 3 : 1;
}
