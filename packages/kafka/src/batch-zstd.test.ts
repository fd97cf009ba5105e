import { randomBytes } from 'node:crypto';
import { zstdCompressSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { batchCompression, batchExpansion, compressBatch, decompressBatch, sawPlainPage } from './batch-zstd.ts';

const MIB = 1024 ** 2;

test('a batch comes back as it went', () => {
  const plain = Buffer.from(
    Array.from({ length: 500 }, () => `${randomBytes(16).toString('hex')} GET /api`).join('\n'),
  );
  const compressed = compressBatch(plain)!;
  expect(compressed.length).toBeLessThan(plain.length);
  expect(decompressBatch(compressed).equals(plain)).toBe(true);
});

test('what would shrink by more than 16, or not at all, goes as it is', () => {
  expect(compressBatch(Buffer.alloc(MIB, 'a'))).toBeNull();
  expect(compressBatch(randomBytes(MIB))).toBeNull();
});

test('only batches that are mostly plain are compressed, and not the smallest', () => {
  expect(batchCompression(10_000, 10_000)).toBe(4);
  expect(batchCompression(10_000, 20_000)).toBe(4);
  expect(batchCompression(10_000, 20_001)).toBe(0);
  expect(batchCompression(1_000, 1_000)).toBe(0);
});

test('a batch that holds more than one may is not opened', () => {
  expect(() => decompressBatch(zstdCompressSync(Buffer.alloc(65 * MIB)))).toThrow(/larger|memory|Cannot create/i);
});

test('the expansion follows what is read, and is forgotten where nothing is compressed any more', () => {
  const plain = Buffer.concat([randomBytes(8_000), Buffer.alloc(72_000)]);
  const compressed = compressBatch(plain)!;
  for (let i = 0; i < 30; i++) decompressBatch(compressed);
  expect(batchExpansion()).toBeCloseTo(plain.length / compressed.length, 1);
  for (let i = 0; i < 30; i++) sawPlainPage();
  expect(batchExpansion()).toBeCloseTo(1, 1);
});
