import { constants, zstdCompressSync } from 'node:zlib';
import { freeBytes, ownBytes } from './owned-bytes.ts';

/** Telemetry shrinks to an eighth: level 3 takes a third longer and saves a fiftieth. */
const LEVEL = 1;
/** Half of the level's own table: it stays in the first cache. With shorter matches that costs no room, and a tenth less time. */
const HASH_LOG = 13;
const MATCH_BYTES_MIN = 6;
const PARAMS = {
  [constants.ZSTD_c_compressionLevel]: LEVEL,
  [constants.ZSTD_c_hashLog]: HASH_LOG,
  [constants.ZSTD_c_minMatch]: MATCH_BYTES_MIN,
};
const SMALL_BYTES = 128 * 1024;

/** All of what is in the log and on its way into ClickHouse is compressed so: one zstd frame, with no memory beside it. */
export function zstdFrame(plain: Buffer): Buffer {
  const made = zstdCompressSync(plain, { params: PARAMS, chunkSize: frameBytesMax(plain.length) });
  const frame = ownBytes(made);
  if (frame !== made) freeBytes(made);
  return frame;
}

/** ZSTD_COMPRESSBOUND: into so much room zstd writes straight from the input, where it would copy it first otherwise. */
function frameBytesMax(bytes: number): number {
  return bytes + (bytes >>> 8) + (bytes < SMALL_BYTES ? (SMALL_BYTES - bytes) >>> 11 : 0);
}
