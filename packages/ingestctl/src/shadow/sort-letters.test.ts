import { rawPosition } from '@weir/records';
import { expect, test } from 'vitest';
import { type LetterFacts, sortLetters } from './sort-letters.ts';
import type { WindowLetter } from './window-letters.ts';

const LAST = 19;
const at = (offset: number) => rawPosition('v1', 0, offset);

function raw(offset: number, more: Partial<WindowLetter> & { nth?: number } = {}): WindowLetter {
  const { nth = 0, ...rest } = more;
  return {
    key: `raw/${offset}/${nth}`,
    state: 'waiting',
    promoter: undefined,
    tenant: 'acme',
    signal: 'logs',
    reason: 'invalid_time',
    items: 2,
    kind: 'raw',
    places: new Map([[at(offset), rest.items ?? 2]]),
    digest: `digest ${offset}/${nth}`,
    day: undefined,
    ...rest,
  };
}

function rows(offsets: readonly number[], more: Partial<WindowLetter> = {}): WindowLetter {
  const places = new Map(offsets.map((offset) => [at(offset), 1]));
  const what = {
    kind: 'rows',
    reason: 'rows_rejected',
    items: offsets.length,
    places,
    digest: '',
    day: 20_000,
  } as const;
  return { ...raw(offsets[0]!), key: `rows/${offsets.join('+')}`, ...what, ...more };
}

/** Facts of a replay that has five rows of each record, received on day 20,001. */
function facts(letters: readonly WindowLetter[], more: Partial<LetterFacts> = {}): LetterFacts {
  const positions = Array.from({ length: LAST + 1 }, (_, offset) => at(offset));
  return {
    replay: 'x',
    letters,
    unread: [],
    gone: [],
    dead: new Map(),
    shadow: new Map(positions.map((position) => [position, { rows: 5, day: 20_001 }])),
    stuck: new Set(),
    isInWindow: (position) => position <= at(LAST),
    ...more,
  };
}

function sorted(given: LetterFacts) {
  const { free, own, left } = sortLetters(given);
  const keys = (letters: typeof free) => letters.map(({ key, bookedDay }) => `${key} of ${bookedDay}`);
  const offsets = [...left].map(([position, why]) => [Number(position - at(0)), why]);
  return { free: keys(free), own: keys(own), left: Object.fromEntries(offsets) };
}

test('what waits or was purged comes back, and so does what a promotion of this replay has taken', () => {
  const own = raw(3, { state: 'sending', promoter: 'x' });
  const letters = [raw(1), raw(1, { nth: 1 }), raw(2, { state: 'purged' }), own, rows([4, 5])];
  expect(sorted(facts(letters))).toEqual({
    free: ['raw/1/0 of 20001', 'raw/1/1 of 20001', 'raw/2/0 of 20001', 'rows/4+5 of 20000'],
    own: ['raw/3/0 of 20001'],
    left: {},
  });
});

test('a letter that the replay gives up again, byte for byte, stays, whatever has become of it', () => {
  const again = { reason: 'invalid_time', items: 2, digest: 'digest 1/0' };
  const dead = new Map([[at(1), [again]]]);
  for (const state of ['waiting', 'redriven', 'sending', 'purged'] as const) {
    expect(sorted(facts([raw(1, { state }), raw(1, { nth: 1 })], { dead }))).toEqual({
      free: ['raw/1/1 of 20001'],
      own: [],
      left: {},
    });
  }
});

test.each([
  ['redriven', raw(1, { state: 'redriven' })],
  ['sending', raw(1, { state: 'sending' })],
  ['sending', rows([1], { state: 'sending' })],
  ['promoting', raw(1, { state: 'sending', promoter: 'y' })],
] as const)('a record whose letter is in other hands is left alone: %s', (why, letter) => {
  expect(sorted(facts([letter, raw(1, { nth: 1 })]))).toEqual({ free: [], own: [], left: { 1: why } });
});

test('where the replay gives up what live has, or a part of a letter, the record is left alone', () => {
  const other = { reason: 'invalid_time', items: 1, digest: 'of fewer' };
  const dead = new Map([
    [at(1), [other]],
    [at(2), [other]],
  ]);
  expect(sorted(facts([raw(1)], { dead }))).toEqual({ free: [], own: [], left: { 1: 'lesser', 2: 'lesser' } });
  // What was promoted before is in live; that it is given up now is no letter.
  const again = new Map([[at(1), [{ reason: 'invalid_time', items: 2, digest: 'digest 1/0' }]]]);
  expect(sorted(facts([raw(1, { state: 'promoted' })], { dead: again })).left).toEqual({ 1: 'lesser' });
  // More items than the shadow has rows.
  expect(sorted(facts([raw(1, { items: 4 }), raw(1, { nth: 1 })])).left).toEqual({ 1: 'lesser' });
});

test('rows of several records come back together or not at all', () => {
  const letters = [rows([1, 2]), rows([2, 3]), rows([5, LAST + 1]), raw(3, { state: 'redriven' }), rows([7])];
  expect(sorted(facts(letters))).toEqual({
    free: ['rows/7 of 20000'],
    own: [],
    left: { 1: 'beyond', 2: 'beyond', 3: 'redriven', 5: 'beyond', [LAST + 1]: 'beyond' },
  });
});

test('what is in live at its own place is no obstacle, and neither is a letter of which the replay made nothing', () => {
  const letters = [rows([1], { state: 'redriven' }), rows([2], { state: 'promoted' }), raw(3, { state: 'promoted' })];
  expect(sorted(facts(letters))).toEqual({ free: [], own: [], left: {} });
  expect(sorted(facts([raw(1), raw(2, { state: 'redriven' })], { shadow: new Map() }))).toEqual({
    free: [],
    own: [],
    left: {},
  });
});

test('records of which letters are gone, that were not read, or whose live rows stay are left alone', () => {
  const given = facts([raw(3)], { gone: [at(1)], unread: [at(2)], stuck: new Set([at(3)]) });
  expect(sorted(given)).toEqual({ free: [], own: [], left: { 1: 'gone', 2: 'unread', 3: 'stuck' } });
  expect(sorted({ ...given, shadow: new Map() }).left).toEqual({});
});
