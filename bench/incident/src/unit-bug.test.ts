import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '@weir/local';
import { expect, test } from 'vitest';
import { UNIT_BUG, withBug } from './unit-bug.ts';

test('the bug is one line of the source that is there today', () => {
  const source = readFileSync(join(ROOT, UNIT_BUG.source), 'utf8');
  const lines = source.split('\n');
  const changed = withBug(source)
    .split('\n')
    .flatMap((line, at) => (line === lines[at] ? [] : [[lines[at]?.trim(), line.trim()]]));
  expect(changed).toEqual([[UNIT_BUG.line, UNIT_BUG.instead]]);
});

test('a source that has moved on is not taken for one with the bug', () => {
  expect(() => withBug('export {};')).toThrow('has not the line');
});
