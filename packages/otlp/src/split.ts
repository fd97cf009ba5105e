import { ProtoWriter } from './proto-writer.ts';
import { WireReader } from './wire.ts';

/** The resource of a ResourceX message, the scope of a ScopeX message. */
const HEAD = (1 << 3) | 2;
/** The resources of an export. */
const RESOURCES = HEAD;
/** The scopes of a resource, the items of a scope. */
const LIST = (2 << 3) | 2;
const SCHEMA_URL = (3 << 3) | 2;
/** Tag and longest length of a message. */
const FRAME_BYTES = 6;
/** Lengths of a resource and a scope that are still open. */
const CLOSING_BYTES = 10;
/** All pieces together over the export: a head may be nearly as large as a piece, and then stands in each of many. */
const OUTPUT_RATIO = 2;

/**
 * Splits an export on the bounds of its items, so that no piece is larger than `bytesMax`: each is an export of its own,
 * with its resources and scopes (and their schema URLs) repeated, the items in their order. Fields of a resource or scope
 * that the schema does not know are dropped. The bytes must have passed the scan.
 *
 * A metric is an item here: its data points stay together.
 *
 * @param take gets the pieces in order, each as soon as it is made: all of them at once may be twice the export
 * @returns false where one item, with its resource and scope, is too large alone, or where the pieces would repeat more
 * than the export holds; the pieces so far are then of no use
 */
export function splitExport(bytes: Buffer, bytesMax: number, take: (piece: Buffer) => void): boolean {
  if (bytes.length > bytesMax) return new Splitter(bytes, bytesMax, take).split();
  take(bytes);
  return true;
}

const EMPTY = Buffer.alloc(0);

/** The piece that is being written, and where in the export its reader stands. */
class Splitter {
  readonly #bytes: Buffer;
  readonly #bytesMax: number;
  readonly #take: (piece: Buffer) => void;
  readonly #reader = new WireReader();
  readonly #out = new ProtoWriter();
  #resourceHead: Buffer = EMPTY;
  #scopeHead: Buffer = EMPTY;
  /** Where the messages that are open in the piece start; -1 without one. */
  #resourceAt = -1;
  #scopeAt = -1;
  #made = 0;

  constructor(bytes: Buffer, bytesMax: number, take: (piece: Buffer) => void) {
    this.#bytes = bytes;
    this.#bytesMax = bytesMax;
    this.#take = take;
  }

  split(): boolean {
    const reader = this.#reader;
    const end = this.#bytes.length;
    reader.open(this.#bytes);
    while (reader.pos < end) {
      const tag = reader.tag(end);
      if (tag < 0) return false;
      if (tag === RESOURCES ? !this.#resource(reader.length(end)) : !reader.skip(tag & 7, end)) return false;
    }
    this.#flush();
    return true;
  }

  #resource(end: number): boolean {
    const reader = this.#reader;
    this.#resourceHead = this.#headUpTo(end);
    while (reader.pos < end) {
      const tag = reader.tag(end);
      if (tag < 0) return false;
      if (tag === LIST ? !this.#scope(reader.length(end)) : !reader.skip(tag & 7, end)) return false;
    }
    this.#close();
    return true;
  }

  #scope(end: number): boolean {
    const reader = this.#reader;
    this.#scopeHead = this.#headUpTo(end);
    while (reader.pos < end) {
      const start = reader.pos;
      const tag = reader.tag(end);
      if (tag < 0 || !reader.skip(tag & 7, end)) return false;
      if (tag === LIST && !this.#item(start, reader.pos)) return false;
    }
    this.#closeScope();
    return true;
  }

  /** Adds one item, to a new piece where the old one has no room for it. */
  #item(start: number, end: number): boolean {
    const out = this.#out;
    if (out.length > 0 && !this.#fits(end - start)) this.#flush();
    if (!this.#fits(end - start) || this.#made > OUTPUT_RATIO * this.#bytes.length) return false;
    if (this.#resourceAt < 0) {
      this.#resourceAt = out.open(RESOURCES >>> 3);
      out.raw(this.#resourceHead);
    }
    if (this.#scopeAt < 0) {
      this.#scopeAt = out.open(LIST >>> 3);
      out.raw(this.#scopeHead);
    }
    out.copy(this.#bytes, start, end);
    return true;
  }

  #fits(itemBytes: number): boolean {
    let size = this.#out.length + itemBytes + CLOSING_BYTES;
    if (this.#resourceAt < 0) size += this.#resourceHead.length + FRAME_BYTES;
    if (this.#scopeAt < 0) size += this.#scopeHead.length + FRAME_BYTES;
    return size <= this.#bytesMax;
  }

  #closeScope(): void {
    if (this.#scopeAt >= 0) this.#out.close(this.#scopeAt);
    this.#scopeAt = -1;
  }

  #close(): void {
    this.#closeScope();
    if (this.#resourceAt >= 0) this.#out.close(this.#resourceAt);
    this.#resourceAt = -1;
  }

  #flush(): void {
    this.#close();
    if (this.#out.length === 0) return;
    this.#made += this.#out.length;
    this.#take(this.#out.bytes());
    this.#out.clear();
  }

  /** What every piece repeats of the message up to `end`, whose first field is next; it may stand behind the items too. */
  #headUpTo(end: number): Buffer {
    const reader = this.#reader;
    const from = reader.pos;
    const runs: Buffer[] = [];
    while (reader.pos < end) {
      const start = reader.pos;
      const tag = reader.tag(end);
      if (tag < 0 || !reader.skip(tag & 7, end)) break;
      if (tag === HEAD || tag === SCHEMA_URL) runs.push(this.#bytes.subarray(start, reader.pos));
    }
    reader.pos = from;
    return runs.length === 0 ? EMPTY : Buffer.concat(runs);
  }
}
