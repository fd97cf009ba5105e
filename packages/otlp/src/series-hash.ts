import type { WireReader } from './wire.ts';

/** Odd constants of the two lanes, from Murmur3 and xxHash. */
const A = 0xcc9e2d51 | 0;
const B = 0x85ebca77 | 0;
const SEED_A = 0x2545f491;
const SEED_B = 0x1b873593;

const HEAD = (1 << 3) | 2;
const RESOURCE_ATTRIBUTES = (1 << 3) | 2;
const SCOPE_NAME = (1 << 3) | 2;
const SCOPE_VERSION = (2 << 3) | 2;
const SCOPE_ATTRIBUTES = (3 << 3) | 2;

/**
 * Hashes of the series that data points belong to: metric name, resource, scope and attributes, as the bytes they are,
 * with attributes in any order. 64 bits, as two 32-bit lanes; nothing is copied. What points share is hashed once.
 */
export class SeriesHash {
  /** Halves of the hash, signed; those of the point after {@link endPoint}. */
  lo = 0;
  hi = 0;
  /** Sums over the attributes of the point at hand. */
  #sumLo = 0;
  #sumHi = 0;
  #resourceLo = 0;
  #resourceHi = 0;
  #scopeLo = 0;
  #scopeHi = 0;
  #metricLo = 0;
  #metricHi = 0;

  /** Hashes the resource of the ResourceMetrics up to `end`, wherever it stands; the position is left where it was. */
  beginResource(reader: WireReader, end: number): boolean {
    if (!this.#head(reader, end, false)) return false;
    this.#resourceLo = this.#sumLo;
    this.#resourceHi = this.#sumHi;
    return true;
  }

  /** As {@link beginResource}, of a ScopeMetrics. */
  beginScope(reader: WireReader, end: number): boolean {
    if (!this.#head(reader, end, true)) return false;
    this.#scopeLo = this.#sumLo;
    this.#scopeHi = this.#sumHi;
    return true;
  }

  /** A metric, whose name is [start, end). */
  beginMetric(buf: Uint8Array, start: number, end: number): void {
    this.#bytes(buf, start, end);
    this.#metricLo = mix(this.lo ^ mix(this.#scopeLo ^ mix(this.#resourceLo)));
    this.#metricHi = mix(this.hi ^ mix(this.#scopeHi ^ mix(this.#resourceHi)));
  }

  beginPoint(): void {
    this.#sumLo = 0;
    this.#sumHi = 0;
  }

  /** An attribute of the point: the KeyValue [start, end). */
  attribute(buf: Uint8Array, start: number, end: number): void {
    this.#bytes(buf, start, end);
    this.#sumLo = (this.#sumLo + this.lo) | 0;
    this.#sumHi = (this.#sumHi + this.hi) | 0;
  }

  endPoint(): void {
    this.lo = mix(this.#sumLo ^ this.#metricLo);
    this.hi = mix(this.#sumHi ^ this.#metricHi);
  }

  /** Sums up the last head (resource or scope) of the message up to `end`: that is the one that is stored. */
  #head(reader: WireReader, end: number, scope: boolean): boolean {
    const start = reader.pos;
    this.beginPoint();
    while (reader.pos < end) {
      const tag = reader.tag(end);
      if (tag < 0) return false;
      if (tag !== HEAD) {
        if (!reader.skip(tag & 7, end)) return false;
        continue;
      }
      const stop = reader.length(end);
      if (stop < 0) return false;
      this.beginPoint();
      if (!this.#fields(reader, stop, scope)) return false;
    }
    reader.pos = start;
    return true;
  }

  #fields(reader: WireReader, end: number, scope: boolean): boolean {
    while (reader.pos < end) {
      const at = reader.pos;
      const tag = reader.tag(end);
      if (tag < 0 || !reader.skip(tag & 7, end)) return false;
      const counts = scope
        ? tag === SCOPE_NAME || tag === SCOPE_VERSION || tag === SCOPE_ATTRIBUTES
        : tag === RESOURCE_ATTRIBUTES;
      // With its tag: a name is not a version.
      if (counts) this.attribute(reader.buf, at, reader.pos);
    }
    return true;
  }

  /** Sets `lo` and `hi` to the hash of [start, end). */
  #bytes(buf: Uint8Array, start: number, end: number): void {
    let a = SEED_A ^ (end - start);
    let b = SEED_B ^ (end - start);
    let at = start;
    for (const last = end - 4; at <= last; at += 4) {
      const word = buf[at]! | (buf[at + 1]! << 8) | (buf[at + 2]! << 16) | (buf[at + 3]! << 24);
      a = Math.imul(a ^ word, A);
      a = (a << 15) | (a >>> 17);
      b = Math.imul(b ^ word, B);
      b = (b << 13) | (b >>> 19);
    }
    let rest = 0;
    while (at < end) rest = (rest << 8) | buf[at++]!;
    this.lo = mix(Math.imul(a ^ rest, A));
    this.hi = mix(Math.imul(b ^ rest, B));
  }
}

/** Murmur3's finalizer. */
function mix(value: number): number {
  let h = value ^ (value >>> 16);
  h = Math.imul(h, 0x85ebca6b);
  h ^= h >>> 13;
  h = Math.imul(h, 0xc2b2ae35);
  return h ^ (h >>> 16);
}
