import { constants, zstdCompressSync } from 'node:zlib';
import type { Encoding } from '@weir/records';
import { LIMITS } from './limits.ts';

const ZSTD = { params: { [constants.ZSTD_c_compressionLevel]: 1 } };

/** A body and how it is compressed. */
export interface StoredValue {
  readonly encoding: Encoding;
  readonly value: Buffer;
}

/**
 * A body as it goes to Kafka: what came uncompressed is compressed once, which costs less than producing it plain. It never
 * keeps alive the larger buffer that `plain` may be a slice of: inflaters and writers give some bytes of 16 KiB, and Node's pool of 64.
 */
export function toStoredValue(plain: Buffer): StoredValue {
  if (plain.length < LIMITS.compressBytesMin) return { encoding: 'identity', value: alone(plain) };
  return { encoding: 'zstd', value: zstdCompressSync(plain, ZSTD) };
}

/** The same bytes with nothing beside them; `Buffer.from` would take them from the pool again. */
function alone(bytes: Buffer): Buffer {
  if (bytes.length === bytes.buffer.byteLength) return bytes;
  const copy = Buffer.allocUnsafeSlow(bytes.length);
  bytes.copy(copy);
  return copy;
}
