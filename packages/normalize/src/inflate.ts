import { gunzipSync, zstdDecompressSync } from 'node:zlib';
import type { Encoding } from '@weir/records';

/** What zlib takes of itself, where what is said cannot be so. */
const CHUNK_BYTES = 16 * 1024;
/** Edges split what is larger. */
const CHUNK_BYTES_MAX = 4 * 1024 ** 2 + 1;

/**
 * The decompressed body, or undefined where the bytes are not what `encoding` says or inflate beyond `bytesMax`.
 *
 * @param bytes what it is said to have: with one more as the first room for it, it comes in one piece
 */
export function inflate(value: Buffer, encoding: Encoding, bytes: number, bytesMax: number): Buffer | undefined {
  const chunkSize = bytes < value.length ? CHUNK_BYTES : Math.min(bytes + 1, CHUNK_BYTES_MAX);
  const options = { maxOutputLength: bytesMax, chunkSize: Math.max(CHUNK_BYTES, chunkSize) };
  try {
    if (encoding === 'gzip') return gunzipSync(value, options);
    if (encoding === 'zstd') return zstdDecompressSync(value, options);
    return value.length <= bytesMax ? value : undefined;
  } catch {
    return undefined;
  }
}
