import { promisify } from 'node:util';
import {
  gunzip,
  gunzipSync,
  inflate as inflateDeflate,
  inflateSync,
  zstdDecompress,
  zstdDecompressSync,
} from 'node:zlib';
import { type Clock, type Refused, refuse } from '@weir/pipeline';
import type { BodyEncoding } from '../exports.ts';
import { LIMITS } from '../limits.ts';
import { Room } from './room.ts';
import { unsnap, unsnapSync } from './snappy.ts';

const ASYNC = {
  gzip: promisify(gunzip),
  deflate: promisify(inflateDeflate),
  zstd: promisify(zstdDecompress),
  snappy: unsnap,
};
const SYNC = { gzip: gunzipSync, deflate: inflateSync, zstd: zstdDecompressSync, snappy: unsnapSync };
/** What zlib, and snappy after it, say when the output reaches `maxOutputLength`. */
const TOO_LARGE = 'ERR_BUFFER_TOO_LARGE';

type Compressed = Exclude<BodyEncoding, 'identity'>;

/** Most bytes that one byte of an encoding may stand for. */
const RATIO_MAX: Readonly<Record<Compressed, number>> = { gzip: 1_032, deflate: 1_032, zstd: 32_768, snappy: 22 };

/** A plain body. Its room is held until it is released, once, when nothing refers to its bytes any more. */
export interface Inflated {
  readonly kind: 'inflated';
  readonly plain: Buffer;
  release(): void;
}

/** A body that was refused. */
export interface NotInflated extends Refused {
  /** Bytes that it may have been inflated to until that was found: libraries do not say how far they came. */
  readonly costBytes: number;
}

/**
 * Inflates bodies, with a bound on what all of them hold. A bomb costs no more than the limit, since its output is capped
 * while it grows, and many of them no more than the rooms, since each takes the cap before it grows. Most bodies fit one
 * record: their room is not the one in which the large ones wait for each other.
 */
export class Inflater {
  readonly #bytesMax: number;
  readonly #usualBytesMax: number;
  readonly #usual: Room;
  readonly #large: Room;

  constructor(clock: Clock, bytesMax: number) {
    this.#bytesMax = bytesMax;
    this.#usualBytesMax = Math.min(LIMITS.recordBodyBytesMax, bytesMax);
    const roomFor = (itemsMax: number, bytes: number) =>
      new Room(clock, {
        itemsMax,
        bytesMax: itemsMax * bytes,
        waitMs: LIMITS.inflateWaitMs,
        waitingMax: LIMITS.inflateWaitingMax,
      });
    this.#usual = roomFor(LIMITS.inflatesMax, this.#usualBytesMax);
    this.#large = roomFor(LIMITS.largeInflatesMax, bytesMax);
  }

  /**
   * The plain body: too_large above the limit, the edge's or the tenant's, edge_full where there was no room in time.
   *
   * @param tenantBytesMax left out: there is only the edge's
   */
  async inflate(
    body: Buffer,
    encoding: BodyEncoding,
    tenantBytesMax = Number.POSITIVE_INFINITY,
  ): Promise<Inflated | NotInflated> {
    const bytesMax = Math.min(this.#bytesMax, tenantBytesMax);
    const usualMax = Math.min(this.#usualBytesMax, bytesMax);
    if (encoding === 'identity') return body.length <= bytesMax ? inflated(body) : tooLarge(bytesMax, 0);
    if (body.length === 0) return malformed(body, encoding, 0);
    // Snappy is not inflated to find that out.
    const costBytes = encoding === 'snappy' ? body.length : bytesMax;
    let found: Inflated | NotInflated | undefined;
    if (body.length <= LIMITS.inflateSyncBytesMax) found = inflateAtOnce(body, encoding, usualMax);
    else if (body.length <= usualMax) found = await inflateIn(this.#usual, body, encoding, usualMax);
    // What did not fit when there was no more to be had; a longer body may hold less than itself.
    if (found === undefined && usualMax === bytesMax && body.length <= usualMax) return tooLarge(bytesMax, costBytes);
    return found ?? (await inflateIn(this.#large, body, encoding, bytesMax)) ?? tooLarge(bytesMax, costBytes);
  }
}

/** On the event loop: undefined above `bytesMax`. It takes no room, since only one is inflated at a time. */
function inflateAtOnce(body: Buffer, encoding: Compressed, bytesMax: number): Inflated | NotInflated | undefined {
  try {
    return inflated(SYNC[encoding](body, { maxOutputLength: bytesMax }));
  } catch (error) {
    return isTooLarge(error) ? undefined : malformed(body, encoding, bytesMax);
  }
}

/** Off the event loop, in a room: undefined above `bytesMax`. */
async function inflateIn(
  room: Room,
  body: Buffer,
  encoding: Compressed,
  bytesMax: number,
): Promise<Inflated | NotInflated | undefined> {
  if (!(await room.take(bytesMax))) {
    return { ...refuse('edge_full', 'the edge inflates as many bodies as it has room for'), costBytes: 0 };
  }
  try {
    return inflated(await ASYNC[encoding](body, { maxOutputLength: bytesMax }), () => room.give(bytesMax));
  } catch (error) {
    room.give(bytesMax);
    return isTooLarge(error) ? undefined : malformed(body, encoding, bytesMax);
  }
}

function inflated(plain: Buffer, release: () => void = () => undefined): Inflated {
  return { kind: 'inflated', plain, release };
}

function isTooLarge(error: unknown): boolean {
  return (error as { code?: string }).code === TOO_LARGE;
}

function malformed(body: Buffer, encoding: Compressed, bytesMax: number): NotInflated {
  const most = body.length * (begins(body, encoding) ? RATIO_MAX[encoding] : 1);
  return { ...refuse('malformed', `the body is not valid ${encoding}`), costBytes: Math.min(bytesMax, most) };
}

/** Whether a body looks like its encoding; what does not is found out at its first byte. A snappy block may begin anyhow. */
function begins(body: Buffer, encoding: Compressed): boolean {
  const first = body[0] ?? 0;
  if (encoding === 'gzip') return first === 0x1f;
  if (encoding === 'deflate') return (first & 0x0f) === 0x08;
  // A frame, or one that is to be skipped.
  if (encoding === 'zstd') return first === 0x28 || (first & 0xf0) === 0x50;
  return true;
}

function tooLarge(bytesMax: number, costBytes: number): NotInflated {
  return { ...refuse('too_large', `the body is larger than ${bytesMax} bytes`), costBytes };
}
