import { expect, test } from 'vitest';
import { CUT_PARTITIONS_MAX, decodeCommitMetadata, encodeCommitMetadata, isCommitMetadata } from './commit-metadata.ts';

const STATE = { epoch: 3, owner: 'f'.repeat(16), rawLast: 70 };

test('a cut whose lanes go in apart is told from one whose tables go in whole, which is written as ever', () => {
  const cut = { mark: 9, state: STATE, term: 4, refused: new Map([[2_049, 'a7']]) };
  const [whole, apart] = [encodeCommitMetadata(cut), encodeCommitMetadata({ ...cut, apart: true })];
  expect(whole).toBe('2;9;3;ffffffffffffffff;70;4;2049.a7');
  expect(apart).toBe('3;9;3;ffffffffffffffff;70;4;2049.a7');
  expect(decodeCommitMetadata(whole)).toEqual(cut);
  expect(decodeCommitMetadata(apart)).toEqual({ ...cut, apart: true });
  expect([whole, apart, apart.replace('3', '5')].map(isCommitMetadata)).toEqual([true, true, false]);
});

test('a cut of several partitions names its members where it leads, and its leader elsewhere', () => {
  const cut = { mark: 9, state: STATE, term: 4 };
  const leads = { ...cut, apart: true, members: [0, 12], refused: new Map([[1, 'f']]) };
  const led = { ...cut, leader: { partition: 3, first: 70 } };
  const written = [leads, led].map(encodeCommitMetadata);
  expect(written).toEqual(['4;9;3;ffffffffffffffff;70;4;1.f;a;0,12', '4;9;3;ffffffffffffffff;70;4;;w;3.70']);
  expect(written.map(decodeCommitMetadata)).toEqual([leads, led]);
  expect(written.map(isCommitMetadata)).toEqual([true, true]);
  expect(isCommitMetadata('4;9;3;ffffffffffffffff;70;4;;w;')).toBe(false);
});

test('where no cut is recorded a sink from before lanes can read it', () => {
  expect(encodeCommitMetadata({ mark: null, state: STATE, term: 4, apart: true, members: [1] })).toMatch(/^2;;/);
});

test('what is refused of every lane of the largest batch fits into a commit', () => {
  const state = { epoch: 2 ** 40, owner: 'f'.repeat(16), rawLast: 2 ** 50 };
  // A million rows and one record more, in lanes of 4,000; 500 splits are two bits for each of their units.
  const lanes = Array.from({ length: 312 }, (_, at) => [60_000 + at, 'f'] as const);
  const refused = new Map<number, string>([...lanes, [59_999, 'f'.repeat(501)]]);
  // As many partitions as a cut may have, of a topic with very many.
  const members = Array.from({ length: CUT_PARTITIONS_MAX - 1 }, (_, at) => 90_000 + at);
  const metadata = { mark: 2 ** 50, state, term: 2 ** 30, refused, apart: true, members };
  expect(encodeCommitMetadata(metadata).length).toBeLessThan(4_000);
});
