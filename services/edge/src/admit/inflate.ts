import { promisify } from 'node:util';
import {
  gunzip,
  gunzipSync,
  inflate as inflateDeflate,
  inflateSync,
  zstdDecompress,
  zstdDecompressSync,
} from 'node:zlib';
import { type Refused, refuse } from '@weir/pipeline';
import type { BodyEncoding } from '../exports.ts';
import { LIMITS } from '../limits.ts';

const ASYNC = { gzip: promisify(gunzip), deflate: promisify(inflateDeflate), zstd: promisify(zstdDecompress) };
const SYNC = { gzip: gunzipSync, deflate: inflateSync, zstd: zstdDecompressSync };
/** What zlib says when the output reaches `maxOutputLength`. */
const TOO_LARGE = 'ERR_BUFFER_TOO_LARGE';

/** The plain body. The output is capped while it grows: a bomb costs no more than the limit. */
export async function inflateBody(body: Buffer, encoding: BodyEncoding, bytesMax: number): Promise<Buffer | Refused> {
  if (encoding === 'identity') return body.length <= bytesMax ? body : tooLarge(bytesMax);
  if (body.length === 0) return refuse('malformed', `the body is not valid ${encoding}`);
  const options = { maxOutputLength: bytesMax };
  try {
    if (body.length <= LIMITS.inflateSyncBytesMax) return SYNC[encoding](body, options);
    return await ASYNC[encoding](body, options);
  } catch (error) {
    if ((error as { code?: string }).code === TOO_LARGE) return tooLarge(bytesMax);
    return refuse('malformed', `the body is not valid ${encoding}`);
  }
}

export function tooLarge(bytesMax: number): Refused {
  return refuse('too_large', `the body is larger than ${bytesMax} bytes`);
}
