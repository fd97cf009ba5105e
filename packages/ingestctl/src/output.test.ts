import { expect, test } from 'vitest';
import type { Outside } from './context.ts';
import { mayColour, printable, printRows } from './output.ts';

function capture(): { outside: Outside; text: () => string } {
  let text = '';
  const outside: Outside = {
    env: {},
    readFile: () => '',
    writeFile: () => undefined,
    out: (more) => {
      text += more;
    },
    err: () => undefined,
    terminal: true,
  };
  return { outside, text: () => text };
}

test('control characters, of both ranges, do not reach a terminal', () => {
  expect(printable('a\u001b[2Jb\r\n\u009bc\u0000')).toBe('a\\x1b[2Jb\\x0d\\x0a\\x9bc\\x00');
  expect(printable('naïve 名前')).toBe('naïve 名前');
});

test('a table has its columns aligned and its cells escaped', () => {
  const { outside, text } = capture();
  printRows(
    outside,
    false,
    ['tenant', 'keys'],
    [
      ['a\u001b[31m', 1],
      ['b', 22],
    ],
  );
  expect(text()).toBe('tenant     keys\na\\x1b[31m  1\nb          22\n');
});

test('JSON has one object a row and escapes by itself', () => {
  const { outside, text } = capture();
  printRows(outside, true, ['tenant', 'keys'], [['a\u001b', 1]]);
  expect(JSON.parse(text())).toEqual([{ tenant: 'a\u001b', keys: 1 }]);
  expect(text()).not.toContain('\u001b');
});

test('colours are for a terminal that knows them, and not for who refuses them', () => {
  expect(mayColour(true, { TERM: 'xterm' })).toBe(true);
  expect(mayColour(true, { NO_COLOR: '' })).toBe(true);
  expect(mayColour(true, { NO_COLOR: '1' })).toBe(false);
  expect(mayColour(true, { TERM: 'dumb' })).toBe(false);
  expect(mayColour(false, { TERM: 'xterm' })).toBe(false);
});
