import { ownBytes, zstdFrame } from '@weir/pipeline';
import type { Encoding } from '@weir/records';
import { LIMITS } from './limits.ts';

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
  if (plain.length < LIMITS.compressBytesMin) return { encoding: 'identity', value: ownBytes(plain) };
  return { encoding: 'zstd', value: zstdFrame(plain) };
}
