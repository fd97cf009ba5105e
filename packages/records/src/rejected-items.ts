/**
 * Which items of a raw record its edge has rejected for a limit of their tenant, and what for: runs, each of how many items
 * lie between it and the one before, how many are in it (both varints), and the code of its fault (a byte, 1 to 127; a
 * code is 1 and the index of the fault in ITEM_FAULTS of the package otlp). At most 3 bytes for each second item of up to
 * 128.
 */
export type RejectedItems = Buffer;

/** @param codes of the items from the first on, 0 for what is not rejected; undefined where none is */
export function encodeRejectedItems(codes: Uint8Array): RejectedItems | undefined {
  const bytes: number[] = [];
  let done = 0;
  for (let at = 0; at < codes.length; ) {
    const code = codes[at]!;
    const first = at;
    while (at < codes.length && codes[at] === code) at++;
    if (code === 0) continue;
    pushVarint(bytes, first - done);
    pushVarint(bytes, at - first);
    bytes.push(code);
    done = at;
  }
  return bytes.length === 0 ? undefined : Buffer.from(bytes);
}

function pushVarint(bytes: number[], value: number): void {
  let rest = value;
  for (; rest > 0x7f; rest >>>= 7) bytes.push((rest & 0x7f) | 0x80);
  bytes.push(rest);
}

/** Says of one item after the other, in their order, whether it has been rejected. */
export class RejectedWalk {
  #bytes: Uint8Array = EMPTY;
  #at = 0;
  #next = 0;
  /** The run at hand: items [from, to) have the code. */
  #from = Number.POSITIVE_INFINITY;
  #to = 0;
  #code = 0;

  /** Begins anew; undefined: nothing is rejected. */
  open(rejected: RejectedItems | undefined): void {
    this.#bytes = rejected ?? EMPTY;
    this.#at = 0;
    this.#next = 0;
    this.#to = 0;
    this.#advance();
  }

  /** Code of the next item's fault, 0 where it has not been rejected. */
  next(): number {
    const item = this.#next++;
    if (item < this.#from) return 0;
    const code = this.#code;
    if (item + 1 === this.#to) this.#advance();
    return code;
  }

  /** Where the run at hand ends, and what code it has; false behind the last run, or where the bytes are none. */
  #advance(): boolean {
    this.#from = Number.POSITIVE_INFINITY;
    if (this.#at >= this.#bytes.length) return false;
    const from = this.#to + this.#varint();
    const count = this.#varint();
    const code = this.#bytes[this.#at++] ?? 0;
    if (count === 0 || code === 0 || code > CODE_MAX) return false;
    this.#from = from;
    this.#to = from + count;
    this.#code = code;
    return true;
  }

  #varint(): number {
    let value = 0;
    for (let shift = 0; shift < 28; shift += 7) {
      const byte = this.#bytes[this.#at++] ?? 0;
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) break;
    }
    return value;
  }

  /** Whether the bytes are runs, the last of which ends within so many items. */
  fits(rejected: RejectedItems, items: number): boolean {
    this.#bytes = rejected;
    this.#at = 0;
    this.#to = 0;
    while (this.#at < rejected.length) if (!this.#advance() || this.#to > items) return false;
    return this.#at === rejected.length;
  }
}

const EMPTY = new Uint8Array(0);
const CODE_MAX = 127;
