import { randomBytes } from 'node:crypto';
import { zstdDecompressSync } from 'node:zlib';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { zstdFrame } from './zstd.ts';

test('a frame holds what went in, however well it shrinks, and no other memory', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 600_000 }), fc.integer({ min: 0, max: 1_000 }), (size, noise) => {
      const plain = Buffer.alloc(size, 'attribute');
      for (let at = 0; at + noise < size && noise > 0; at += 1_000) randomBytes(noise).copy(plain, at);
      const frame = zstdFrame(plain);
      expect(frame.buffer.byteLength).toBe(frame.length);
      expect(zstdDecompressSync(frame).equals(plain)).toBe(true);
    }),
  );
});
