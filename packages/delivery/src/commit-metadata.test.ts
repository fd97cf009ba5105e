import { expect, test } from 'vitest';
import { decodeCommitMetadata, encodeCommitMetadata, isCommitMetadata } from './commit-metadata.ts';

const STATE = { epoch: 3, owner: 'f'.repeat(16), rawLast: 70 };

test('a cut whose lanes go in apart is told from one whose tables go in whole, which is written as ever', () => {
  const cut = { mark: 9, state: STATE, term: 4, refused: new Map([[2_049, 'a7']]) };
  const [whole, apart] = [encodeCommitMetadata(cut), encodeCommitMetadata({ ...cut, apart: true })];
  expect(whole).toBe('2;9;3;ffffffffffffffff;70;4;2049.a7');
  expect(apart).toBe('3;9;3;ffffffffffffffff;70;4;2049.a7');
  expect(decodeCommitMetadata(whole)).toEqual(cut);
  expect(decodeCommitMetadata(apart)).toEqual({ ...cut, apart: true });
  expect([whole, apart, apart.replace('3', '4')].map(isCommitMetadata)).toEqual([true, true, false]);
});

test('where no cut is recorded a sink from before lanes can read it', () => {
  expect(encodeCommitMetadata({ mark: null, state: STATE, term: 4, apart: true })).toMatch(/^2;;/);
});

test('what is refused of every lane of the largest batch fits into a commit', () => {
  const state = { epoch: 2 ** 40, owner: 'f'.repeat(16), rawLast: 2 ** 50 };
  // A million rows and one record more, in lanes of 4,000; 500 splits are two bits for each of their units.
  const lanes = Array.from({ length: 312 }, (_, at) => [60_000 + at, 'f'] as const);
  const refused = new Map<number, string>([...lanes, [59_999, 'f'.repeat(501)]]);
  expect(encodeCommitMetadata({ mark: 2 ** 50, state, term: 2 ** 30, refused, apart: true }).length).toBeLessThan(
    4_000,
  );
});
