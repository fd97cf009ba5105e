import { gunzipSync, zstdDecompressSync } from 'node:zlib';
import type { Encoding } from '@weir/records';

/** The decompressed body, or undefined where the bytes are not what `encoding` says or inflate beyond `bytesMax`. */
export function inflate(value: Buffer, encoding: Encoding, bytesMax: number): Buffer | undefined {
  try {
    if (encoding === 'gzip') return gunzipSync(value, { maxOutputLength: bytesMax });
    if (encoding === 'zstd') return zstdDecompressSync(value, { maxOutputLength: bytesMax });
    return value.length <= bytesMax ? value : undefined;
  } catch {
    return undefined;
  }
}
