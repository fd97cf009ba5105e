import { constants, zstdCompressSync } from 'node:zlib';
import type { Encoding } from '@weir/records';
import { LIMITS } from './limits.ts';

const ZSTD = { params: { [constants.ZSTD_c_compressionLevel]: 1 } };

/** A body and how it is compressed. */
export interface StoredValue {
  readonly encoding: Encoding;
  readonly value: Buffer;
}

/** A body as it goes to Kafka: what came uncompressed is compressed once, which costs less than producing it plain. */
export function toStoredValue(plain: Buffer): StoredValue {
  if (plain.length < LIMITS.compressBytesMin) return { encoding: 'identity', value: plain };
  return { encoding: 'zstd', value: zstdCompressSync(plain, ZSTD) };
}
