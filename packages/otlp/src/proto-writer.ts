/** Writes small protobuf messages; grows as needed. Not for the hot path of items. */
export class ProtoWriter {
  #buf = Buffer.allocUnsafe(256);
  #length = 0;

  bytes(): Buffer {
    return Buffer.from(this.#buf.subarray(0, this.#length));
  }

  /** Starts anew, with the room that there is. */
  clear(): void {
    this.#length = 0;
  }

  get length(): number {
    return this.#length;
  }

  tag(field: number, type: 0 | 1 | 2 | 5): void {
    this.varint(field * 8 + type);
  }

  /** An unsigned number below 2^32. */
  varint(value: number): void {
    this.#reserve(5);
    let rest = value >>> 0;
    while (rest > 0x7f) {
      this.#buf[this.#length++] = (rest & 0x7f) | 0x80;
      rest >>>= 7;
    }
    this.#buf[this.#length++] = rest;
  }

  /** Any 64-bit integer, a negative one in two's complement. */
  varint64(value: bigint): void {
    let rest = BigInt.asUintN(64, value);
    this.#reserve(10);
    while (rest > 0x7fn) {
      this.#buf[this.#length++] = Number(rest & 0x7fn) | 0x80;
      rest >>= 7n;
    }
    this.#buf[this.#length++] = Number(rest);
  }

  fixed64(value: bigint): void {
    this.#reserve(8);
    this.#length = this.#buf.writeBigUInt64LE(BigInt.asUintN(64, value), this.#length);
  }

  fixed32(value: number): void {
    this.#reserve(4);
    this.#length = this.#buf.writeUInt32LE(value >>> 0, this.#length);
  }

  double(value: number): void {
    this.#reserve(8);
    this.#length = this.#buf.writeDoubleLE(value, this.#length);
  }

  raw(bytes: Uint8Array): void {
    this.#reserve(bytes.length);
    this.#buf.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  /** Bytes [start, end) of another buffer. */
  copy(from: Buffer, start: number, end: number): void {
    this.#reserve(end - start);
    this.#length += from.copy(this.#buf, this.#length, start, end);
  }

  /** A length-delimited field. */
  field(field: number, bytes: Uint8Array): void {
    this.tag(field, 2);
    this.varint(bytes.length);
    this.raw(bytes);
  }

  text(field: number, text: string): void {
    this.field(field, Buffer.from(text, 'utf8'));
  }

  /** Starts a length-delimited field whose length is not known yet; hand the result to {@link close}. */
  open(field: number): number {
    this.tag(field, 2);
    return this.#length;
  }

  /** Ends a field that {@link open} started: puts its length in front of it. */
  close(start: number): void {
    const size = this.#length - start;
    const width = size < 1 << 7 ? 1 : size < 1 << 14 ? 2 : size < 1 << 21 ? 3 : size < 1 << 28 ? 4 : 5;
    this.#reserve(width);
    this.#buf.copyWithin(start + width, start, this.#length);
    this.#length = start;
    this.varint(size);
    this.#length = start + width + size;
  }

  #reserve(size: number): void {
    const needed = this.#length + size;
    if (needed <= this.#buf.length) return;
    const grown = Buffer.allocUnsafe(Math.max(needed, this.#buf.length * 2));
    this.#buf.copy(grown, 0, 0, this.#length);
    this.#buf = grown;
  }
}
