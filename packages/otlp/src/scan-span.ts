import { EVENT, type ItemCheck, LINK, takeAttribute, takeHolder } from './item-check.ts';
import { plainAttributeEnd } from './plain-field.ts';
import { ITEM_DEPTH, type ItemScanner, TIME_BYTES, timePresent, valueStart } from './scan-item.ts';
import { messageIndex } from './schema.ts';
import { checkField } from './structure.ts';
import { countItem } from './totals.ts';
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
import { isAscii, SHORT, type WireReader } from './wire.ts';

const SPAN = messageIndex('Span');
const STATUS = messageIndex('Status');
const STATUS_ERROR = 2;
const TWO_32 = 2 ** 32;

const TRACE_ID = (1 << 3) | 2;
const SPAN_ID = (2 << 3) | 2;
const PARENT_ID = (4 << 3) | 2;
const NAME = (5 << 3) | 2;
const KIND = (6 << 3) | 0;
const START = (7 << 3) | 1;
const END = (8 << 3) | 1;
const ATTRIBUTES = (9 << 3) | 2;
const EVENTS = (11 << 3) | 2;
const LINKS = (13 << 3) | 2;
const STATUS_FIELD = (15 << 3) | 2;
const STATUS_CODE = (3 << 3) | 0;

/** What has been seen of the span at hand. Offsets are of fixed64 values, -1 where there is none. */
const seen = { traceValid: false, spanValid: false, parentValid: true, startAt: -1, endAt: -1, status: 0 };

/**
 * A span. It cannot be stored without a trace id and a span id, with a parent id of another length, or with a start
 * that is 0 or after 2261. An end before the start is a duration of 0.
 */
export const scanSpan: ItemScanner = (reader, end, check, totals) => {
  check.begin();
  seen.traceValid = false;
  seen.spanValid = false;
  seen.parentValid = true;
  seen.startAt = -1;
  seen.endAt = -1;
  seen.status = 0;
  passPlain(reader, end, check);
  while (reader.pos < end) {
    if (!takeField(reader, end, check)) return false;
    passPlain(reader, end, check);
  }
  const { startAt, endAt } = seen;
  let fault = VALID;
  if (!seen.traceValid) fault = INVALID_TRACE_ID;
  else if (!seen.spanValid || !seen.parentValid) fault = INVALID_SPAN_ID;
  else if (startAt < 0 || !timePresent(reader, startAt)) fault = INVALID_TIME;
  else if (endAt >= 0 && !timeValid(reader.word(endAt + 4))) fault = INVALID_TIME;
  else if (check.attributes > check.attributesMax || check.noted !== 0) {
    fault = check.fault(reader.word(startAt), reader.word(startAt + 4));
  }
  countItem(totals, fault);
  if (fault !== VALID) return true;
  if (endAt >= 0 && elapsedNs(reader, startAt, endAt) > check.slowNs) totals.slowItems++;
  if (seen.status === STATUS_ERROR) totals.errorItems++;
  return true;
};

/**
 * Passes over fields as long as they are written as nearly all are: tags and lengths of one byte, ids of the right length,
 * short ASCII texts. Stops before any other, which is {@link takeField}'s: what is refused is refused there.
 */
function passPlain(reader: WireReader, end: number, check: ItemCheck): void {
  const { buf } = reader;
  const { quietBytes } = check;
  // Nothing is read past the end: an array that is read there once may be read more slowly ever after.
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
    } else if (tag === START || tag === END) {
      stop = pos + 1 + TIME_BYTES;
      if (stop > end) break;
      if (tag === START) seen.startAt = pos + 1;
      else seen.endAt = pos + 1;
    } else if (tag === TRACE_ID) {
      if (stop !== start + 16 || stop > end) break;
      seen.traceValid = traceIdValid(buf, start, stop);
    } else if (tag === SPAN_ID || tag === PARENT_ID) {
      if (stop !== start + 8 || stop > end) break;
      if (tag === SPAN_ID) seen.spanValid = spanIdValid(buf, start, stop);
      else seen.parentValid = true;
    } else if (tag === NAME) {
      if (stop > end || !isAscii(reader, pos + 1, stop)) break;
    } else if (tag === KIND) {
      if (stop >= start + SHORT) break;
      stop = start;
    } else if (tag === STATUS_FIELD) {
      if (stop !== start + 2 || stop > end || buf[start] !== STATUS_CODE || buf[start + 1]! >= SHORT) break;
      seen.status = buf[start + 1]!;
    } else break;
    pos = stop;
  }
  reader.pos = pos;
}

/** Any field of a span. */
function takeField(reader: WireReader, end: number, check: ItemCheck): boolean {
  const tag = reader.tag(end);
  if (tag < 0) return false;
  const at = reader.pos;
  if (tag === ATTRIBUTES) return takeAttribute(reader, end, ITEM_DEPTH + 1, check);
  if (tag === EVENTS || tag === LINKS) {
    return takeHolder(reader, tag === EVENTS ? EVENT : LINK, end, ITEM_DEPTH + 1, check);
  }
  if (tag === STATUS_FIELD) return takeStatus(reader, end);
  if (!checkField(reader, SPAN, tag, end, ITEM_DEPTH)) return false;
  const { buf, pos } = reader;
  if (tag === TRACE_ID) seen.traceValid = traceIdValid(buf, valueStart(buf, at), pos);
  else if (tag === SPAN_ID) seen.spanValid = spanIdValid(buf, valueStart(buf, at), pos);
  else if (tag === PARENT_ID) seen.parentValid = optionalIdValid(valueStart(buf, at), pos, 8);
  else if (tag === START) seen.startAt = at;
  else if (tag === END) seen.endAt = at;
  return true;
}

/** The code of a status stays where a later one names none, as for any message that stands twice. */
function takeStatus(reader: WireReader, end: number): boolean {
  const stop = reader.length(end);
  if (stop < 0) return false;
  while (reader.pos < stop) {
    const tag = reader.tag(stop);
    if (tag < 0) return false;
    if (tag === STATUS_CODE) {
      const code = reader.varint(stop);
      if (code < 0) return false;
      seen.status = code;
    } else if (!checkField(reader, STATUS, tag, stop, ITEM_DEPTH + 1)) return false;
  }
  return true;
}

function elapsedNs(reader: WireReader, startAt: number, endAt: number): number {
  return (reader.word(endAt + 4) - reader.word(startAt + 4)) * TWO_32 + (reader.word(endAt) - reader.word(startAt));
}
