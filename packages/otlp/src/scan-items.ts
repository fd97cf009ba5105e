import { EVENT, type ItemCheck, LINK, takeHolder } from './item-check.ts';
import { messageIndex } from './schema.ts';
import { checkAttribute, checkField } from './structure.ts';
import { countItem, type ScanTotals } from './totals.ts';
import {
  INVALID_SPAN_ID,
  INVALID_TIME,
  INVALID_TRACE_ID,
  optionalIdValid,
  spanIdValid,
  timeValid,
  traceIdValid,
  VALID,
} from './validity.ts';
import { WIRE, type WireReader } from './wire.ts';

/** Scans one item up to `end` and adds it to the totals; false once the reader has a fault. */
export type ItemScanner = (reader: WireReader, end: number, check: ItemCheck, totals: ScanTotals) => boolean;

const SPAN = messageIndex('Span');
const STATUS = messageIndex('Status');
const LOG_RECORD = messageIndex('LogRecord');

/** The export is 1, the resource 2, the scope 3. */
const ITEM_DEPTH = 4;
const STATUS_ERROR = 2;
const SEVERITY_ERROR = 17;
const TWO_32 = 2 ** 32;

const SPAN_TRACE_ID = (1 << 3) | 2;
const SPAN_SPAN_ID = (2 << 3) | 2;
const SPAN_PARENT_ID = (4 << 3) | 2;
const SPAN_START = (7 << 3) | 1;
const SPAN_END = (8 << 3) | 1;
const SPAN_ATTRIBUTES = (9 << 3) | 2;
const SPAN_EVENTS = (11 << 3) | 2;
const SPAN_LINKS = (13 << 3) | 2;
const SPAN_STATUS = (15 << 3) | 2;

/**
 * A span. It cannot be stored without a trace id and a span id, with a parent id of another length, or with a start
 * that is 0 or after 2261. An end before the start is a duration of 0.
 */
export const scanSpan: ItemScanner = (reader, end, check, totals) => {
  const { buf } = reader;
  const { quietBytes } = check;
  check.begin();
  let attributes = 0;
  let traceValid = false;
  let spanValid = false;
  let parentValid = true;
  let startAt = -1;
  let endAt = -1;
  let status = 0;
  while (reader.pos < end) {
    const tag = reader.tag(end);
    if (tag < 0) return false;
    const at = reader.pos;
    if (tag === SPAN_ATTRIBUTES) {
      const stop = reader.length(end);
      const start = reader.pos;
      if (stop < 0 || !checkAttribute(reader, stop, ITEM_DEPTH + 1)) return false;
      attributes++;
      if (stop - start > quietBytes) check.measure(buf, start, stop);
      continue;
    }
    if (tag === SPAN_EVENTS || tag === SPAN_LINKS) {
      const holder = tag === SPAN_EVENTS ? EVENT : LINK;
      if (!takeHolder(reader, holder, end, ITEM_DEPTH + 1, check)) return false;
      continue;
    }
    if (tag === SPAN_STATUS) {
      const stop = reader.length(end);
      if (stop < 0) return false;
      status = scanStatus(reader, stop, status);
      if (status < 0) return false;
      continue;
    }
    if (!checkField(reader, SPAN, tag, end, ITEM_DEPTH)) return false;
    if (tag === SPAN_TRACE_ID) traceValid = traceIdValid(buf, valueStart(buf, at), reader.pos);
    else if (tag === SPAN_SPAN_ID) spanValid = spanIdValid(buf, valueStart(buf, at), reader.pos);
    else if (tag === SPAN_PARENT_ID) parentValid = optionalIdValid(valueStart(buf, at), reader.pos, 8);
    else if (tag === SPAN_START) startAt = at;
    else if (tag === SPAN_END) endAt = at;
  }
  check.attributes += attributes;
  let fault = VALID;
  if (!traceValid) fault = INVALID_TRACE_ID;
  else if (!spanValid || !parentValid) fault = INVALID_SPAN_ID;
  else if (startAt < 0 || !timePresent(reader, startAt)) fault = INVALID_TIME;
  else if (endAt >= 0 && !timeValid(reader.low32(endAt + 4))) fault = INVALID_TIME;
  else if (check.attributes > check.attributesMax || check.noted !== 0) {
    fault = check.fault(reader.low32(startAt), reader.low32(startAt + 4));
  }
  countItem(totals, fault);
  if (fault !== VALID) return true;
  if (endAt >= 0 && elapsedNs(reader, startAt, endAt) > check.slowNs) totals.slowItems++;
  if (status === STATUS_ERROR) totals.errorItems++;
  return true;
};

/** Start of a length-delimited value whose length prefix begins at `at`. */
export function valueStart(buf: Uint8Array, at: number): number {
  let pos = at;
  while (buf[pos]! >= 0x80) pos++;
  return pos + 1;
}

/** Whether the fixed64 at `at` is a time that is set and can be stored. */
export function timePresent(reader: WireReader, at: number): boolean {
  const hi = reader.low32(at + 4);
  return timeValid(hi) && (hi !== 0 || reader.low32(at) !== 0);
}

function elapsedNs(reader: WireReader, startAt: number, endAt: number): number {
  return (reader.low32(endAt + 4) - reader.low32(startAt + 4)) * TWO_32 + (reader.low32(endAt) - reader.low32(startAt));
}

const STATUS_CODE = (3 << 3) | 0;

/** The status code, `before` where the message names none, -1 once there is a fault. */
function scanStatus(reader: WireReader, end: number, before: number): number {
  let code = before;
  while (reader.pos < end) {
    const tag = reader.tag(end);
    if (tag < 0) return -1;
    if (tag === STATUS_CODE) {
      code = reader.varint(end);
      if (code < 0) return -1;
    } else if (!checkField(reader, STATUS, tag, end, ITEM_DEPTH + 1)) return -1;
  }
  return code;
}

const LOG_TIME = (1 << 3) | 1;
const LOG_SEVERITY = (2 << 3) | 0;
const LOG_ATTRIBUTES = (6 << 3) | 2;
const LOG_TRACE_ID = (9 << 3) | 2;
const LOG_SPAN_ID = (10 << 3) | 2;
const LOG_OBSERVED = (11 << 3) | 1;

/** A log record. Ids may be left out; times may be 0 (the observed time, then the time it was received, stands in). */
export const scanLogRecord: ItemScanner = (reader, end, check, totals) => {
  const { buf } = reader;
  const { quietBytes } = check;
  check.begin();
  let attributes = 0;
  let severity = 0;
  let timeAt = -1;
  let observedAt = -1;
  let traceIdBytes = 0;
  let spanIdBytes = 0;
  while (reader.pos < end) {
    const tag = reader.tag(end);
    if (tag < 0) return false;
    const at = reader.pos;
    if (tag === LOG_ATTRIBUTES) {
      const stop = reader.length(end);
      const start = reader.pos;
      if (stop < 0 || !checkAttribute(reader, stop, ITEM_DEPTH + 1)) return false;
      attributes++;
      if (stop - start > quietBytes) check.measure(buf, start, stop);
      continue;
    }
    if (tag === LOG_SEVERITY) {
      severity = reader.varint(end);
      if (severity < 0) return false;
      continue;
    }
    if (tag === LOG_TIME || tag === LOG_OBSERVED) {
      if (!reader.skip(WIRE.fixed64, end)) return false;
      if (tag === LOG_TIME) timeAt = at;
      else observedAt = at;
      continue;
    }
    if (!checkField(reader, LOG_RECORD, tag, end, ITEM_DEPTH)) return false;
    if (tag === LOG_TRACE_ID) traceIdBytes = reader.pos - valueStart(buf, at);
    else if (tag === LOG_SPAN_ID) spanIdBytes = reader.pos - valueStart(buf, at);
  }
  check.attributes += attributes;
  let fault = VALID;
  if (!storable(reader, timeAt) || !storable(reader, observedAt)) fault = INVALID_TIME;
  else if (!optionalIdValid(0, traceIdBytes, 16)) fault = INVALID_TRACE_ID;
  else if (!optionalIdValid(0, spanIdBytes, 8)) fault = INVALID_SPAN_ID;
  else if (check.attributes > check.attributesMax || check.noted !== 0) {
    fault = logLimitFault(reader, check, timeAt, observedAt);
  }
  countItem(totals, fault);
  if (severity >= SEVERITY_ERROR && severity < 0x8000_0000 && fault === VALID) totals.errorItems++;
  return true;
};

function storable(reader: WireReader, at: number): boolean {
  return at < 0 || timeValid(reader.low32(at + 4));
}

/** A record without times is stored under the time of its receipt, which is in every window. */
function logLimitFault(reader: WireReader, check: ItemCheck, timeAt: number, observedAt: number): number {
  const at = timeAt >= 0 && timePresent(reader, timeAt) ? timeAt : observedAt;
  return at < 0 ? check.fault(0, 0) : check.fault(reader.low32(at), reader.low32(at + 4));
}
