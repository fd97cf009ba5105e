import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { TRANSCODER_FOLDERS, transcoderDigest } from './transcoder-digest.ts';

const PACKAGES = join(import.meta.dirname, '../../..');
const directory = mkdtempSync(join(tmpdir(), 'weir-digest-'));

afterAll(() => rmSync(directory, { recursive: true, force: true }));

/** A package of the workspace and all that it is made of, by the names of their folders. */
function madeOf(name: string, found = new Set<string>()): Set<string> {
  if (found.has(name)) return found;
  found.add(name);
  const { dependencies = {} } = JSON.parse(readFileSync(join(PACKAGES, name, 'package.json'), 'utf8')) as {
    dependencies?: Record<string, string>;
  };
  for (const each of Object.keys(dependencies))
    if (each.startsWith('@weir/')) madeOf(each.slice('@weir/'.length), found);
  return found;
}

test('a transcoder is told by all packages that it is made of, and by the replay', () => {
  const folders = [...madeOf('normalize')].map((name) => `${name}/src`);
  expect(TRANSCODER_FOLDERS).toEqual([...folders, 'ingestctl/src/replay'].sort());
  expect(transcoderDigest()).toMatch(/^[0-9a-f]{16}$/);
  expect(transcoderDigest()).toBe(transcoderDigest());
});

test('a change of a source is another transcoder, a change of a test is not', () => {
  mkdirSync(join(directory, 'one/src/deeper'), { recursive: true });
  const digest = () => transcoderDigest(directory, ['one/src']);
  const write = (name: string, text: string) => writeFileSync(join(directory, 'one/src', name), text);
  write('a.ts', 'a');
  write('deeper/b.ts', 'b');
  const before = digest();
  write('a.test.ts', 'test');
  expect(digest()).toBe(before);
  write('deeper/b.ts', 'c');
  const changed = digest();
  expect(changed).not.toBe(before);
  write('deeper/d.ts', '');
  expect(digest()).not.toBe(changed);
  write('deeper/b.ts', 'b');
  rmSync(join(directory, 'one/src/deeper/d.ts'));
  expect(digest()).toBe(before);
});
