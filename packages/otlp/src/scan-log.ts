import { type ItemCheck, takeAttribute } from './item-check.ts';
import { plainAttributeEnd, plainTextEnd } from './plain-field.ts';
import { ITEM_DEPTH, type ItemScanner, TIME_BYTES, timePresent, valueStart } from './scan-item.ts';
import { messageIndex } from './schema.ts';
import { checkField } from './structure.ts';
import { countItem } from './totals.ts';
import { INVALID_SPAN_ID, INVALID_TIME, INVALID_TRACE_ID, optionalIdValid, timeValid, VALID } from './validity.ts';
import { isAscii, SHORT, type WireReader } from './wire.ts';

const LOG_RECORD = messageIndex('LogRecord');
const SEVERITY_ERROR = 17;

const TIME = (1 << 3) | 1;
const SEVERITY = (2 << 3) | 0;
const SEVERITY_TEXT = (3 << 3) | 2;
const BODY = (5 << 3) | 2;
const ATTRIBUTES = (6 << 3) | 2;
const TRACE_ID = (9 << 3) | 2;
const SPAN_ID = (10 << 3) | 2;
const OBSERVED_TIME = (11 << 3) | 1;

/** What has been seen of the record at hand. Offsets are of fixed64 values, -1 where there is none. */
const seen = { severity: 0, timeAt: -1, observedAt: -1, traceIdBytes: 0, spanIdBytes: 0 };

/** A log record. Ids may be left out; times may be 0 (the observed time, then the time it was received, stands in). */
export const scanLogRecord: ItemScanner = (reader, end, check, totals) => {
  check.begin();
  seen.severity = 0;
  seen.timeAt = -1;
  seen.observedAt = -1;
  seen.traceIdBytes = 0;
  seen.spanIdBytes = 0;
  passPlain(reader, end, check);
  while (reader.pos < end) {
    if (!takeField(reader, end, check)) return false;
    passPlain(reader, end, check);
  }
  const { severity, timeAt, observedAt } = seen;
  let fault = VALID;
  if (!storable(reader, timeAt) || !storable(reader, observedAt)) fault = INVALID_TIME;
  else if (!optionalIdValid(0, seen.traceIdBytes, 16)) fault = INVALID_TRACE_ID;
  else if (!optionalIdValid(0, seen.spanIdBytes, 8)) fault = INVALID_SPAN_ID;
  else if (check.attributes > check.attributesMax || check.noted !== 0) {
    fault = limitFault(reader, check, timeAt, observedAt);
  }
  countItem(totals, fault);
  if (severity >= SEVERITY_ERROR && severity < 0x8000_0000 && fault === VALID) totals.errorItems++;
  return true;
};

/** As of a span: passes over fields that are written as nearly all are, and stops before any other. */
function passPlain(reader: WireReader, end: number, check: ItemCheck): void {
  const { buf } = reader;
  const { quietBytes } = check;
  const last = end - 1;
  let { pos } = reader;
  while (pos < last) {
    const tag = buf[pos]!;
    const start = pos + 2;
    let stop = start + buf[pos + 1]!;
    if (tag === ATTRIBUTES) {
      stop = plainAttributeEnd(reader, pos + 1, end);
      if (stop < 0) break;
      check.attributes++;
      if (stop - start > quietBytes) check.measure(buf, start, stop);
    } else if (tag === TIME || tag === OBSERVED_TIME) {
      stop = pos + 1 + TIME_BYTES;
      if (stop > end) break;
      if (tag === TIME) seen.timeAt = pos + 1;
      else seen.observedAt = pos + 1;
    } else if (tag === SEVERITY) {
      if (stop >= start + SHORT) break;
      seen.severity = stop - start;
      stop = start;
    } else if (tag === SEVERITY_TEXT) {
      if (stop > end || !isAscii(reader, pos + 1, stop)) break;
    } else if (tag === BODY) {
      stop = plainTextEnd(reader, pos + 1, end);
      if (stop < 0) break;
    } else if (tag === TRACE_ID || tag === SPAN_ID) {
      if (stop > end || stop >= start + SHORT) break;
      if (tag === TRACE_ID) seen.traceIdBytes = stop - start;
      else seen.spanIdBytes = stop - start;
    } else break;
    pos = stop;
  }
  reader.pos = pos;
}

/** Any field of a log record. */
function takeField(reader: WireReader, end: number, check: ItemCheck): boolean {
  const tag = reader.tag(end);
  if (tag < 0) return false;
  const at = reader.pos;
  if (tag === ATTRIBUTES) return takeAttribute(reader, end, ITEM_DEPTH + 1, check);
  if (tag === SEVERITY) {
    seen.severity = reader.varint(end);
    return seen.severity >= 0;
  }
  if (!checkField(reader, LOG_RECORD, tag, end, ITEM_DEPTH)) return false;
  if (tag === TIME) seen.timeAt = at;
  else if (tag === OBSERVED_TIME) seen.observedAt = at;
  else if (tag === TRACE_ID) seen.traceIdBytes = reader.pos - valueStart(reader.buf, at);
  else if (tag === SPAN_ID) seen.spanIdBytes = reader.pos - valueStart(reader.buf, at);
  return true;
}

function storable(reader: WireReader, at: number): boolean {
  return at < 0 || timeValid(reader.word(at + 4));
}

/** A record without times is stored under the time of its receipt, which is in every window. */
function limitFault(reader: WireReader, check: ItemCheck, timeAt: number, observedAt: number): number {
  const at = timeAt >= 0 && timePresent(reader, timeAt) ? timeAt : observedAt;
  return at < 0 ? check.fault(0, 0) : check.fault(reader.word(at), reader.word(at + 4));
}
