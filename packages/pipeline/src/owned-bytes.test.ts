import { markAsUntransferable } from 'node:worker_threads';
import { expect, test } from 'vitest';
import { freeBytes, ownBytes } from './owned-bytes.ts';

const MIB = 1024 ** 2;

test('large memory is given back at once', () => {
  const before = process.memoryUsage().arrayBuffers;
  for (let i = 0; i < 100; i++) {
    const bytes = Buffer.alloc(4 * MIB);
    freeBytes(bytes.subarray(0, 10));
    expect(bytes.length).toBe(0);
  }
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(8 * MIB);
});

test('so is what is alone in its memory, unless it is too little', () => {
  const [some, little] = [Buffer.from(new ArrayBuffer(16_384)), Buffer.from(new ArrayBuffer(100))];
  freeBytes(some);
  freeBytes(little);
  expect([some.length, little.length]).toEqual([0, 100]);
});

test('memory that cannot be given back stays, and is no error', () => {
  const kept = Buffer.from(new ArrayBuffer(MIB));
  markAsUntransferable(kept.buffer);
  freeBytes(kept);
  expect(kept.length).toBe(MIB);
});

test('memory that other buffers share stays as it is', () => {
  const [one, other] = [Buffer.from('one'), Buffer.from('other')];
  expect(one.buffer).toBe(other.buffer);
  freeBytes(one);
  expect([one.toString(), other.toString()]).toEqual(['one', 'other']);
  expect(one.buffer.byteLength).toBeLessThan(80 * 1024);
});

test('own bytes keep nothing else alive, and are copied only where they did', () => {
  const part = Buffer.alloc(MIB, 'a').subarray(0, 100);
  const own = ownBytes(part);
  expect([own.toString(), own.buffer.byteLength]).toEqual(['a'.repeat(100), 100]);
  expect(ownBytes(own)).toBe(own);
});
