import { gunzipSync, zstdDecompressSync } from 'node:zlib';
import type { Encoding } from '@weir/records';

const CHUNK_BYTES_MIN = 64;

/**
 * The decompressed body, or undefined where the bytes are not what `encoding` says or inflate beyond `bytesMax`.
 *
 * @param bytes what it is said to have: with one more as the first room for it, it comes in one piece
 */
export function inflate(value: Buffer, encoding: Encoding, bytes: number, bytesMax: number): Buffer | undefined {
  const options = { maxOutputLength: bytesMax, chunkSize: Math.max(CHUNK_BYTES_MIN, Math.min(bytes, bytesMax) + 1) };
  try {
    if (encoding === 'gzip') return gunzipSync(value, options);
    if (encoding === 'zstd') return zstdDecompressSync(value, options);
    return value.length <= bytesMax ? value : undefined;
  } catch {
    return undefined;
  }
}
