import { existsSync, mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { fillSourceCache, isFilled } from './source-cache.ts';

const dir = mkdtempSync(join(tmpdir(), 'weir-source-cache-'));
afterAll(() => rmSync(dir, { recursive: true }));

const stamp = join(dir, 'stamp');
const sources = join(dir, 'src');
const file = (path: string, seconds: number) => {
  writeFileSync(path, '');
  utimesSync(path, seconds, seconds);
};

test('the cache counts as filled until a source changes, and not before it was filled', () => {
  mkdirSync(join(sources, 'deep'), { recursive: true });
  mkdirSync(join(sources, 'node_modules'));
  file(join(sources, 'deep/a.ts'), 100);
  file(join(sources, 'node_modules/b.ts'), 900);
  expect(isFilled(stamp, [sources])).toBe(false);
  file(stamp, 200);
  expect(isFilled(stamp, [sources])).toBe(true);
  // Read and written in the same moment: which was first is not known.
  file(join(sources, 'deep/a.ts'), 200);
  expect(isFilled(stamp, [sources])).toBe(false);
  file(stamp, 201);
  expect(isFilled(stamp, [sources, join(dir, 'not-there')])).toBe(true);
});

test('where nothing can be kept the start goes on without', async () => {
  const missing = join(dir, 'no such folder/stamp');
  await fillSourceCache(process.env, missing);
  expect(existsSync(missing)).toBe(false);
});
