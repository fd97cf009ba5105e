/**
 * Why one item of a well-formed export is not stored: it cannot be, or, from `too_many_attributes` on, it is over a limit
 * of its tenant. The same strings are dead-letter reasons. Raw records carry the index: new faults come last.
 */
export const ITEM_FAULTS = [
  'invalid_trace_id',
  'invalid_span_id',
  'invalid_time',
  'invalid_metric',
  'mismatched_buckets',
  'too_many_attributes',
  'key_too_long',
  'value_too_long',
  'time_too_old',
  'time_in_future',
  'too_many_series',
] as const;

export type ItemFault = (typeof ITEM_FAULTS)[number];

/** Index into {@link ITEM_FAULTS}; `VALID` is no fault. */
export const VALID = -1;
export const INVALID_TRACE_ID = 0;
export const INVALID_SPAN_ID = 1;
export const INVALID_TIME = 2;
export const INVALID_METRIC = 3;
export const MISMATCHED_BUCKETS = 4;
export const TOO_MANY_ATTRIBUTES = 5;
export const KEY_TOO_LONG = 6;
export const VALUE_TOO_LONG = 7;
export const TIME_TOO_OLD = 8;
export const TIME_IN_FUTURE = 9;
export const TOO_MANY_SERIES = 10;
/** From here on faults depend on the tenant's limits when the edge looked, so what the edge found is all that counts. */
export const FIRST_LIMIT_FAULT = TOO_MANY_ATTRIBUTES;

const TRACE_ID_BYTES = 16;
const SPAN_ID_BYTES = 8;

function idValid(buf: Uint8Array, start: number, end: number, size: number): boolean {
  if (end - start !== size) return false;
  for (let at = start; at < end; at++) if (buf[at] !== 0) return true;
  return false;
}

/** A trace id is 16 bytes, not all zero. */
export function traceIdValid(buf: Uint8Array, start: number, end: number): boolean {
  return idValid(buf, start, end, TRACE_ID_BYTES);
}

/** A span id is 8 bytes, not all zero. */
export function spanIdValid(buf: Uint8Array, start: number, end: number): boolean {
  return idValid(buf, start, end, SPAN_ID_BYTES);
}

/** An id that may be left out (a log's, an exemplar's, a parent's): empty, or of the right size. All zero counts as none. */
export function optionalIdValid(start: number, end: number, size: 8 | 16): boolean {
  return end === start || end - start === size;
}

/** Upper halves (ns since the epoch >>> 32) of the window that DateTime64(9) and date partitions can hold. */
const TIME_HI_MAX = Math.floor(9_214_646_400_000_000_000 / 2 ** 32);

/**
 * Whether a fixed64 time (ns since the epoch, upper 32 bits in `hi`) can be stored: before the year 2262, where
 * DateTime64(9) ends. 0 (unset) is storable; what it means is the field's own rule.
 */
export function timeValid(hi: number): boolean {
  return hi < TIME_HI_MAX;
}

/** Histogram buckets: none and no bounds, or one more count than bounds. */
export function bucketsMatch(counts: number, bounds: number): boolean {
  return counts === 0 ? bounds === 0 : counts === bounds + 1;
}
