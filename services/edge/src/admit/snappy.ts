import { setImmediate as turn } from 'node:timers/promises';
import { crc32c } from '@node-rs/crc32';
import { uncompress, uncompressSync } from 'snappy';

/** The stream identifier with which the framing format begins; in a block it would be nonsense. */
const FRAMED = Buffer.from('\xff\x06\x00\x00sNaPpY', 'latin1');
const HEAD_BYTES = 4;
const CRC_BYTES = 4;
const COMPRESSED = 0x00;
const PLAIN = 0x01;
/** Below it chunks that are not known are an error, from it on they are passed over. */
const SKIPPABLE = 0x80;
const IDENTIFIER = 0xff;
const CHUNK_PLAIN_BYTES_MAX = 65_536;
/** No three bytes of a block stand for more than 64. */
const RATIO_MAX = 22;
/** Each chunk is a call into the library; writers make them of 64 KiB, and nobody needs many without any content. */
const CHUNKS_MIN = 64;
const CHUNK_PLAIN_BYTES_MEAN_MIN = 1_024;
/** Chunks after which other work gets its turn: 1 MiB. */
const CHUNKS_PER_TURN = 16;

/** What it throws, by `code`, as zlib does. */
class SnappyError extends Error {
  readonly code: 'ERR_BUFFER_TOO_LARGE' | 'ERR_SNAPPY';

  constructor(code: SnappyError['code']) {
    super(code);
    this.code = code;
  }
}

interface Options {
  readonly maxOutputLength: number;
}

/**
 * Inflates snappy, as one block or framed: the Collector sends either under the same name, and tells them apart like this.
 * What comes out is known from the lengths that blocks begin with, so nothing is inflated that would be too large.
 *
 * @throws an error with the code ERR_BUFFER_TOO_LARGE above the limit, another where the bytes are not snappy
 */
export function unsnapSync(body: Buffer, { maxOutputLength }: Options): Buffer {
  if (!isFramed(body)) {
    checkBlock(body, maxOutputLength);
    return uncompressSync(body, { asBuffer: true }) as Buffer;
  }
  measure(body, maxOutputLength);
  const parts: Buffer[] = [];
  for (let at = 0; at < body.length; at = chunkEnd(body, at)) addChunk(parts, body, at);
  return Buffer.concat(parts);
}

/** The same off the event loop, or in turns with what else there is to do. */
export async function unsnap(body: Buffer, { maxOutputLength }: Options): Promise<Buffer> {
  if (!isFramed(body)) {
    checkBlock(body, maxOutputLength);
    return (await uncompress(body, { asBuffer: true })) as Buffer;
  }
  measure(body, maxOutputLength);
  const parts: Buffer[] = [];
  for (let at = 0, chunks = 1; at < body.length; at = chunkEnd(body, at), chunks++) {
    addChunk(parts, body, at);
    if (chunks % CHUNKS_PER_TURN === 0) await turn();
  }
  return Buffer.concat(parts);
}

function isFramed(body: Buffer): boolean {
  return body.length >= FRAMED.length && body.compare(FRAMED, 0, FRAMED.length, 0, FRAMED.length) === 0;
}

function checkBlock(block: Buffer, bytesMax: number): void {
  const claimed = claimedBytes(block);
  // First: the library makes room for what is claimed.
  if (claimed > block.length * RATIO_MAX) throw new SnappyError('ERR_SNAPPY');
  if (claimed > bytesMax) throw new SnappyError('ERR_BUFFER_TOO_LARGE');
}

/** The plain length that a block begins with. */
function claimedBytes(block: Buffer): number {
  let length = 0;
  for (let at = 0; at < 5; at++) {
    const byte = block[at];
    if (byte === undefined) break;
    length += (byte & 0x7f) * 2 ** (7 * at);
    if (byte < 0x80) return length;
  }
  throw new SnappyError('ERR_SNAPPY');
}

/** Checks the chunks of a framed body, that they are not too many, and that what they hold is within the limit. */
function measure(body: Buffer, bytesMax: number): void {
  let total = 0;
  for (let at = 0, chunks = 1; at < body.length; at = chunkEnd(body, at), chunks++) {
    const type = body[at]!;
    if (type < SKIPPABLE || type === IDENTIFIER) {
      const data = body.subarray(at + HEAD_BYTES, chunkEnd(body, at));
      total += plainBytes(type, data);
    }
    if (total > bytesMax) throw new SnappyError('ERR_BUFFER_TOO_LARGE');
    if (chunks > CHUNKS_MIN + total / CHUNK_PLAIN_BYTES_MEAN_MIN) throw new SnappyError('ERR_SNAPPY');
  }
}

/** What a chunk holds; an identifier that stands again holds nothing. */
function plainBytes(type: number, data: Buffer): number {
  if (type === IDENTIFIER && data.equals(FRAMED.subarray(HEAD_BYTES))) return 0;
  if (type > PLAIN || data.length < CRC_BYTES) throw new SnappyError('ERR_SNAPPY');
  const plain = type === PLAIN ? data.length - CRC_BYTES : claimedBytes(data.subarray(CRC_BYTES));
  if (plain > CHUNK_PLAIN_BYTES_MAX) throw new SnappyError('ERR_SNAPPY');
  return plain;
}

/** Where the chunk ends that begins at `at`. */
function chunkEnd(body: Buffer, at: number): number {
  if (at + HEAD_BYTES > body.length) throw new SnappyError('ERR_SNAPPY');
  const end = at + HEAD_BYTES + body.readUIntLE(at + 1, 3);
  if (end > body.length) throw new SnappyError('ERR_SNAPPY');
  return end;
}

function addChunk(parts: Buffer[], body: Buffer, at: number): void {
  const type = body[at]!;
  if (type >= SKIPPABLE) return;
  const data = body.subarray(at + HEAD_BYTES + CRC_BYTES, chunkEnd(body, at));
  const plain = type === COMPRESSED ? (uncompressSync(data, { asBuffer: true }) as Buffer) : data;
  if (body.readUInt32LE(at + HEAD_BYTES) !== masked(crc32c(plain))) throw new SnappyError('ERR_SNAPPY');
  parts.push(plain);
}

/** As the framing format keeps checksums. */
function masked(crc: number): number {
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
}
