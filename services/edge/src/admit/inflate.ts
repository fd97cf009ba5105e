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

/** A plain body. Its room is held until it is released, once, when nothing refers to its bytes any more. */
export interface Inflated {
  readonly kind: 'inflated';
  readonly plain: Buffer;
  release(): void;
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
  ): Promise<Inflated | Refused> {
    const bytesMax = Math.min(this.#bytesMax, tenantBytesMax);
    const usualMax = Math.min(this.#usualBytesMax, bytesMax);
    if (encoding === 'identity') return body.length <= bytesMax ? inflated(body) : tooLarge(bytesMax);
    if (body.length === 0) return malformed(encoding);
    let found: Inflated | Refused | undefined;
    if (body.length <= LIMITS.inflateSyncBytesMax) found = inflateAtOnce(body, encoding, usualMax);
    else if (body.length <= usualMax) found = await inflateIn(this.#usual, body, encoding, usualMax);
    // What did not fit when there was no more to be had; a longer body may hold less than itself.
    if (found === undefined && usualMax === bytesMax && body.length <= usualMax) return tooLarge(bytesMax);
    return found ?? (await inflateIn(this.#large, body, encoding, bytesMax)) ?? tooLarge(bytesMax);
  }
}

/** On the event loop: undefined above `bytesMax`. It takes no room, since only one is inflated at a time. */
function inflateAtOnce(body: Buffer, encoding: Compressed, bytesMax: number): Inflated | Refused | undefined {
  try {
    return inflated(SYNC[encoding](body, { maxOutputLength: bytesMax }));
  } catch (error) {
    return isTooLarge(error) ? undefined : malformed(encoding);
  }
}

/** Off the event loop, in a room: undefined above `bytesMax`. */
async function inflateIn(
  room: Room,
  body: Buffer,
  encoding: Compressed,
  bytesMax: number,
): Promise<Inflated | Refused | undefined> {
  if (!(await room.take(bytesMax))) return refuse('edge_full', 'the edge inflates as many bodies as it has room for');
  try {
    return inflated(await ASYNC[encoding](body, { maxOutputLength: bytesMax }), () => room.give(bytesMax));
  } catch (error) {
    room.give(bytesMax);
    return isTooLarge(error) ? undefined : malformed(encoding);
  }
}

function inflated(plain: Buffer, release: () => void = () => undefined): Inflated {
  return { kind: 'inflated', plain, release };
}

function isTooLarge(error: unknown): boolean {
  return (error as { code?: string }).code === TOO_LARGE;
}

function malformed(encoding: Compressed): Refused {
  return refuse('malformed', `the body is not valid ${encoding}`);
}

function tooLarge(bytesMax: number): Refused {
  return refuse('too_large', `the body is larger than ${bytesMax} bytes`);
}
