import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { REPOSITORY } from './tool-cache.ts';
import { isAtLeast, VERSION_FLOORS, versionsUsed } from './version-floors.ts';

test.each([
  ['1.14.4', '1.14.4', true],
  ['1.14.10', '1.14.4', true],
  ['2.0.0', '1.14.4', true],
  ['1.14.3', '1.14.4', false],
  ['1.9.9', '1.14.4', false],
])('%s against %s', (version, floor, expected) => expect(isAtLeast(version, floor)).toBe(expected));

test.each(VERSION_FLOORS)('$part is nowhere older than $version', async (floor) => {
  for (const [file, versions] of await versionsUsed(floor)) {
    expect({ file, found: versions.length > 0 }).toEqual({ file, found: true });
    for (const version of versions)
      expect({ file, version, new: isAtLeast(version, floor.version) }).toMatchObject({ new: true });
  }
});

test('docs/SECURITY.md names each floor and what it closes', async () => {
  const page = await readFile(join(REPOSITORY, 'docs/SECURITY.md'), 'utf8');
  for (const { version, closes } of VERSION_FLOORS)
    for (const text of [version, ...closes]) expect(page).toContain(text);
});
