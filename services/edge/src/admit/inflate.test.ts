import { deflateSync, gzipSync, zstdCompressSync } from 'node:zlib';
import { type Clock, systemClock } from '@weir/pipeline';
import { FakeClock } from '@weir/testkit';
import { compressSync } from 'snappy';
import { describe, expect, test } from 'vitest';
import type { BodyEncoding } from '../exports.ts';
import { LIMITS } from '../limits.ts';
import { Inflater } from './inflate.ts';

const COMPRESS = {
  gzip: gzipSync,
  deflate: deflateSync,
  zstd: zstdCompressSync,
  snappy: (plain: Buffer) => compressSync(plain),
} as const;
const ENCODINGS = ['gzip', 'deflate', 'zstd', 'snappy'] as const;
const MAX = 1024 ** 2;

/** What comes of a body, whose room is released at once. */
async function inflateBody(body: Buffer, encoding: BodyEncoding, bytesMax: number, clock: Clock = systemClock) {
  const found = await new Inflater(clock, bytesMax).inflate(body, encoding);
  if (found.kind === 'refused') return found;
  found.release();
  return found.plain;
}

/** Bytes that no encoding makes smaller, so that a body of them is inflated off the event loop. */
function noise(size: number): Buffer {
  const bytes = Buffer.alloc(size);
  let state = 1;
  for (let i = 0; i < size; i++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    bytes[i] = state >>> 24;
  }
  return bytes;
}

describe.each(ENCODINGS)('a %s body', (encoding) => {
  test('comes back as it was, small or large', async () => {
    for (const size of [1, 1_000, LIMITS.inflateSyncBytesMax * 2]) {
      const plain = noise(size);
      const found = await inflateBody(COMPRESS[encoding](plain), encoding, MAX);
      expect(Buffer.isBuffer(found) && found.equals(plain)).toBe(true);
    }
  });

  test('may be as large as the limit, and is too large one byte above it', async () => {
    const at = await inflateBody(COMPRESS[encoding](Buffer.alloc(MAX)), encoding, MAX);
    expect(Buffer.isBuffer(at) && at.length).toBe(MAX);
    const above = await inflateBody(COMPRESS[encoding](Buffer.alloc(MAX + 1)), encoding, MAX);
    expect(above).toMatchObject({ kind: 'refused', reason: 'too_large' });
  });

  test('is malformed when it is cut short, empty or garbage', async () => {
    const whole = COMPRESS[encoding](noise(10_000));
    const large = COMPRESS[encoding](noise(LIMITS.inflateSyncBytesMax * 2));
    const bodies = [whole.subarray(0, 5_000), large.subarray(0, large.length - 9), Buffer.alloc(0), noise(500)];
    for (const body of bodies) {
      expect(await inflateBody(body, encoding, MAX)).toMatchObject({ kind: 'refused', reason: 'malformed' });
    }
  });
});

test.each(['gzip', 'zstd'] as const)(
  'all members of a %s body come back, of whatever sizes they are',
  async (encoding) => {
    for (const sizes of [
      [1, 3, 7],
      [12_345, 16_384, 333],
      [LIMITS.inflateSyncBytesMax + 1, 77_777],
    ]) {
      const plains = sizes.map(noise);
      const found = await inflateBody(Buffer.concat(plains.map((plain) => COMPRESS[encoding](plain))), encoding, MAX);
      expect(Buffer.isBuffer(found) && found.equals(Buffer.concat(plains))).toBe(true);
    }
  },
);

test('a bomb of many gzip members is too large', async () => {
  const member = gzipSync(Buffer.alloc(MAX / 2));
  const bomb = Buffer.concat(Array.from({ length: 100 }, () => member));
  expect(await inflateBody(bomb, 'gzip', MAX)).toMatchObject({ kind: 'refused', reason: 'too_large' });
});

test('what is refused says what it may have cost: little where it does not even look like its encoding', async () => {
  const inflater = new Inflater(systemClock, MAX);
  const costOf = async (body: Buffer, encoding: BodyEncoding) => {
    const found = await inflater.inflate(body, encoding);
    return found.kind === 'refused' ? found.costBytes : undefined;
  };
  const plain = Buffer.from('{"resourceSpans":[]}');
  for (const encoding of ['gzip', 'deflate', 'zstd'] as const) {
    expect(await costOf(plain, encoding), encoding).toBe(plain.length);
    const whole = COMPRESS[encoding](Buffer.alloc(MAX));
    expect(await costOf(whole.subarray(0, -1), encoding), encoding).toBeGreaterThan(MAX / 2);
    expect(await costOf(COMPRESS[encoding](Buffer.alloc(MAX + 1)), encoding), encoding).toBe(MAX);
  }
  expect(await costOf(gzipSync(noise(10)).subarray(0, 20), 'gzip')).toBeLessThan(MAX / 50);
  expect(await costOf(Buffer.alloc(MAX + 1), 'identity')).toBe(0);
  expect(await costOf(Buffer.alloc(0), 'snappy')).toBe(0);
  const snappy = Buffer.from(compressSync(Buffer.alloc(MAX + 1)));
  expect(await costOf(snappy, 'snappy')).toBe(snappy.length);
});

test('an identity body is the same buffer, within the limit', async () => {
  const body = Buffer.alloc(MAX);
  expect(await inflateBody(body, 'identity', MAX)).toBe(body);
  expect(await inflateBody(Buffer.alloc(MAX + 1), 'identity', MAX)).toMatchObject({ reason: 'too_large' });
});

describe('many bodies that inflate to the limit', () => {
  const BOMB_BYTES = 32 * MAX;
  const bomb = Buffer.concat([
    noise(LIMITS.inflateSyncBytesMax),
    Buffer.alloc(BOMB_BYTES - LIMITS.inflateSyncBytesMax),
  ]);

  test.each(ENCODINGS)('hold no more than a few of them at once, as %s', async (encoding) => {
    const inflater = new Inflater(systemClock, BOMB_BYTES);
    const body = COMPRESS[encoding](bomb);
    const before = process.memoryUsage().arrayBuffers;
    let most = 0;
    const sampling = setInterval(() => {
      most = Math.max(most, process.memoryUsage().arrayBuffers - before);
    }, 1);
    const inflating = Array.from({ length: 24 }, async () => {
      const found = await inflater.inflate(body, encoding);
      if (found.kind === 'refused') return found.reason;
      found.release();
      return found.plain.length;
    });
    const answers = await Promise.all(inflating);
    clearInterval(sampling);
    expect(answers).toContain(BOMB_BYTES);
    for (const answer of answers) expect([BOMB_BYTES, 'edge_full']).toContain(answer);
    // Twice, since zlib joins its parts, and once more for what the collector has not seen yet.
    expect(most).toBeLessThan(3 * LIMITS.largeInflatesMax * BOMB_BYTES);
  });

  test('wait for each other, and are told after a while that there is no room', async () => {
    const clock = new FakeClock();
    const inflater = new Inflater(clock, BOMB_BYTES);
    const body = gzipSync(bomb);
    const held = await Promise.all([inflater.inflate(body, 'gzip'), inflater.inflate(body, 'gzip')]);
    expect(held.map(({ kind }) => kind)).toEqual(['inflated', 'inflated']);
    const waiting = [inflater.inflate(body, 'gzip'), inflater.inflate(body, 'gzip')];
    while (clock.sleeping < 2) await new Promise((resolve) => setImmediate(resolve));
    if (held[0]?.kind === 'inflated') held[0].release();
    expect(await Promise.race(waiting)).toMatchObject({ kind: 'inflated' });
    await clock.advance(LIMITS.inflateWaitMs);
    const refused = (await Promise.all(waiting)).filter(({ kind }) => kind === 'refused');
    expect(refused).toMatchObject([{ reason: 'edge_full', retryAfterS: 1 }]);
  });

  test('do not keep a body that fits one record waiting', async () => {
    const inflater = new Inflater(new FakeClock(), BOMB_BYTES);
    const body = gzipSync(bomb);
    await Promise.all([inflater.inflate(body, 'gzip'), inflater.inflate(body, 'gzip')]);
    for (const size of [1_000, LIMITS.recordBodyBytesMax / 2]) {
      expect(await inflater.inflate(gzipSync(noise(size)), 'gzip')).toMatchObject({ kind: 'inflated' });
    }
  });

  test('are not inflated on the event loop, however short they are', async () => {
    const inflater = new Inflater(systemClock, BOMB_BYTES);
    const found = inflater.inflate(gzipSync(Buffer.alloc(BOMB_BYTES)), 'gzip');
    let settled = false;
    void found.then(() => {
      settled = true;
    });
    await new Promise((resolve) => setImmediate(resolve));
    expect(settled).toBe(false);
    expect(await found).toMatchObject({ kind: 'inflated' });
  });
});
