import { type ItemLimits, UNLIMITED } from './item-limits.ts';
import { messageIndex } from './schema.ts';
import { SeriesHash } from './series-hash.ts';
import { checkAttribute, checkField } from './structure.ts';
import {
  KEY_TOO_LONG,
  TIME_IN_FUTURE,
  TIME_TOO_OLD,
  TOO_MANY_ATTRIBUTES,
  TOO_MANY_SERIES,
  VALID,
  VALUE_TOO_LONG,
} from './validity.ts';
import { WireReader } from './wire.ts';

const TWO_32 = 2 ** 32;
const NOTED_TIME = 1;
const NOTED_KEY = 2;
const NOTED_VALUE = 4;

/** The limits of the scan at hand, and what the item (or resource, or scope) at hand has of what they bound. */
export class ItemCheck {
  slowNs = 0;
  attributesMax = 0;
  keyBytesMax = 0;
  valueBytesMax = 0;
  /** A KeyValue that is no longer has neither a key nor a value that is too long. */
  quietBytes = 0;
  attributes = 0;
  /** What is to be looked at in the end, beside the number of attributes: bits, 0 for nearly every item. */
  noted = 0;
  /** What is noted of every item: its time, where there is a window. */
  always = 0;
  /** Faults of the resource and of the scope at hand, as far as they have been seen. */
  resourceFault = VALID;
  scopeFault = VALID;
  /** Set where series are looked at. */
  series: SeriesHash | undefined = undefined;
  readonly #hash = new SeriesHash();
  #limits: ItemLimits = UNLIMITED;
  readonly #pair = new WireReader();

  open(slowNs: number, limits: ItemLimits): void {
    this.slowNs = slowNs;
    this.#limits = limits;
    this.attributesMax = limits.attributesMax;
    this.keyBytesMax = limits.keyBytesMax;
    this.valueBytesMax = limits.valueBytesMax;
    this.quietBytes = Math.min(limits.keyBytesMax, limits.valueBytesMax);
    const timed = limits.timeMinNs > Number.NEGATIVE_INFINITY || limits.timeMaxNs < Number.POSITIVE_INFINITY;
    this.always = timed ? NOTED_TIME : 0;
    this.series = limits.series === undefined ? undefined : this.#hash;
    this.resourceFault = VALID;
    this.scopeFault = VALID;
  }

  /** Begins an item, a resource or a scope. */
  begin(): void {
    this.attributes = 0;
    this.noted = this.always;
  }

  /** The limit that what was begun is over; `lo` and `hi` are halves of the time that it is stored under, 0 for none. */
  fault(lo: number, hi: number): number {
    if ((this.noted & NOTED_TIME) !== 0 && (lo !== 0 || hi !== 0)) {
      const ns = hi * TWO_32 + lo;
      if (ns < this.#limits.timeMinNs) return TIME_TOO_OLD;
      if (ns > this.#limits.timeMaxNs) return TIME_IN_FUTURE;
    }
    if (this.attributes > this.attributesMax) return TOO_MANY_ATTRIBUTES;
    if ((this.noted & NOTED_KEY) !== 0) return KEY_TOO_LONG;
    return (this.noted & NOTED_VALUE) !== 0 ? VALUE_TOO_LONG : VALID;
  }

  /** Whether a point with a sound head is of a series that may not be; to be asked only of what is right otherwise. */
  seriesFault(hash: SeriesHash): number {
    if (this.resourceFault !== VALID || this.scopeFault !== VALID) return VALID;
    hash.endPoint();
    return this.#limits.series?.admit(hash.lo, hash.hi) === false ? TOO_MANY_SERIES : VALID;
  }

  /** Measures the KeyValue [start, end), which is well-formed and longer than `quietBytes`. */
  measure(buf: Uint8Array, start: number, end: number): void {
    const pair = this.#pair;
    pair.open(buf);
    pair.pos = start;
    while (pair.pos < end) {
      const tag = pair.tag(end);
      if (tag !== KEY && tag !== VALUE) {
        if (!pair.skip(tag & 7, end)) break;
        continue;
      }
      const stop = pair.length(end);
      const size = stop - pair.pos;
      if (tag === KEY) this.noted |= size > this.keyBytesMax ? NOTED_KEY : 0;
      else if (size > this.valueBytesMax && valueBytes(pair, stop) > this.valueBytesMax) this.noted |= NOTED_VALUE;
      pair.pos = stop;
    }
    pair.release();
  }
}

const KEY = (1 << 3) | 2;
const VALUE = (2 << 3) | 2;
const TEXT_VALUE = (1 << 3) | 2;
const BYTES_VALUE = (7 << 3) | 2;

/** Length of the AnyValue up to `end`: of what is in it where that is one text or bytes. */
function valueBytes(reader: WireReader, end: number): number {
  const start = reader.pos;
  const tag = reader.tag(end);
  if (tag === TEXT_VALUE || tag === BYTES_VALUE) {
    const stop = reader.length(end);
    if (stop === end) return stop - reader.pos;
  }
  return end - start;
}

/** Checks one attribute, whose tag has been read, and counts it. False once the reader has a fault. */
export function takeAttribute(reader: WireReader, end: number, depth: number, check: ItemCheck): boolean {
  const stop = reader.length(end);
  const start = reader.pos;
  if (stop < 0 || !checkAttribute(reader, stop, depth)) return false;
  check.attributes++;
  if (stop - start > check.quietBytes) check.measure(reader.buf, start, stop);
  return true;
}

/** A message that has attributes. */
export interface AttributeHolder {
  readonly message: number;
  readonly attributes: number;
}

function holder(name: Parameters<typeof messageIndex>[0], field: number): AttributeHolder {
  return { message: messageIndex(name), attributes: (field << 3) | 2 };
}

export const RESOURCE = holder('Resource', 1);
export const SCOPE = holder('InstrumentationScope', 3);
export const EVENT = holder('Event', 3);
export const LINK = holder('Link', 4);
export const EXEMPLAR = holder('Exemplar', 7);

/** Checks the message of a field, whose tag has been read, and counts its attributes. */
export function takeHolder(
  reader: WireReader,
  { message, attributes }: AttributeHolder,
  end: number,
  depth: number,
  check: ItemCheck,
): boolean {
  const stop = reader.length(end);
  if (stop < 0) return false;
  while (reader.pos < stop) {
    const tag = reader.tag(stop);
    if (tag < 0) return false;
    if (tag === attributes) {
      if (!takeAttribute(reader, stop, depth + 1, check)) return false;
    } else if (!checkField(reader, message, tag, stop, depth)) return false;
  }
  return true;
}
