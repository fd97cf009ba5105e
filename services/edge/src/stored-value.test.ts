import { zstdDecompressSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { LIMITS } from './limits.ts';
import { toStoredValue } from './stored-value.ts';

test('what is worth it is compressed', () => {
  const plain = Buffer.alloc(LIMITS.compressBytesMin, 'a');
  const { encoding, value } = toStoredValue(plain);
  expect([encoding, zstdDecompressSync(value).equals(plain)]).toEqual(['zstd', true]);
});

test('a small value does not keep the larger buffer that it is a slice of', () => {
  const large = Buffer.alloc(1024 ** 2, 'a');
  const { encoding, value } = toStoredValue(large.subarray(0, 100));
  expect([encoding, value.toString()]).toEqual(['identity', 'a'.repeat(100)]);
  expect(value.buffer.byteLength).toBe(100);
  const whole = Buffer.from(new Uint8Array(100).buffer);
  expect(toStoredValue(whole).value).toBe(whole);
});
