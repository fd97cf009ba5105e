/** Says that bytes are not a block; caught by who reads them. */
export class Malformed extends Error {
  override readonly name = 'Malformed';
}

const VARINT_BYTES_MAX = 5;

/** Reads forward through bytes that may be anything. Every method throws {@link Malformed} where they end too early. */
export class Cursor {
  readonly buf: Buffer;
  at = 0;

  constructor(buf: Buffer) {
    this.buf = buf;
  }

  /** That many bytes at least must follow: nothing is made room for that cannot be there. */
  expect(bytes: number): void {
    if (bytes > this.buf.length - this.at) throw new Malformed();
  }

  take(bytes: number): Buffer {
    this.expect(bytes);
    const taken = this.buf.subarray(this.at, this.at + bytes);
    this.at += bytes;
    return taken;
  }

  varint(): number {
    let value = 0;
    for (let i = 0; i < VARINT_BYTES_MAX; i++) {
      const byte = this.take(1)[0]!;
      value += (byte & 0x7f) * 2 ** (7 * i);
      if (byte < 0x80) return value;
    }
    throw new Malformed();
  }

  /** A whole number below 2^53. */
  uint64(): number {
    const value = Number(this.take(8).readBigUInt64LE());
    if (!Number.isSafeInteger(value)) throw new Malformed();
    return value;
  }

  string(): Buffer {
    return this.take(this.varint());
  }
}
