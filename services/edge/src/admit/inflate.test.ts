import { deflateSync, gzipSync, zstdCompressSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { LIMITS } from '../limits.ts';
import { inflateBody } from './inflate.ts';

const COMPRESS = { gzip: gzipSync, deflate: deflateSync, zstd: zstdCompressSync } as const;
const ENCODINGS = ['gzip', 'deflate', 'zstd'] as const;
const MAX = 1024 ** 2;

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

test('a bomb of many gzip members is too large', async () => {
  const member = gzipSync(Buffer.alloc(MAX / 2));
  const bomb = Buffer.concat(Array.from({ length: 100 }, () => member));
  expect(await inflateBody(bomb, 'gzip', MAX)).toMatchObject({ kind: 'refused', reason: 'too_large' });
});

test('an identity body is the same buffer, within the limit', async () => {
  const body = Buffer.alloc(MAX);
  expect(await inflateBody(body, 'identity', MAX)).toBe(body);
  expect(await inflateBody(Buffer.alloc(MAX + 1), 'identity', MAX)).toMatchObject({ reason: 'too_large' });
});
