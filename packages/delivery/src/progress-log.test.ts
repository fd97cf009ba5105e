import { expect, test } from 'vitest';
import { encodeCommitMetadata } from './commit-metadata.ts';
import { sinkPosition } from './progress-log.ts';
import { INITIAL_STATE } from './rows-reader.ts';

const at = (offset: number, term: number, marks?: string) => ({
  offset,
  metadata: encodeCommitMetadata({
    mark: offset + 9,
    state: INITIAL_STATE,
    term,
    refused: new Map(marks === undefined ? [] : [[0, marks]]),
  }),
});

test('what a former owner recorded too late is nothing against what the next one did', () => {
  const [late, acted] = [at(10, 3, 'c'), at(10, 4)];
  expect(sinkPosition(acted, late)).toBe(acted);
  expect(sinkPosition(late, acted)).toBe(acted);
});

test('of one owner that is believed which says more of the cut, and the further position before all', () => {
  expect(sinkPosition(at(10, 3), at(10, 3, '8'))).toEqual(at(10, 3, '8'));
  expect(sinkPosition(at(10, 3, 'a0'), at(10, 3, '8'))).toEqual(at(10, 3, 'a0'));
  expect(sinkPosition(at(11, 3), at(10, 4, 'f'))).toEqual(at(11, 3));
});

test("an offset that is an operator's says nothing beside one of ours", () => {
  expect(sinkPosition({ offset: 99, metadata: '' }, at(10, 1))).toEqual(at(10, 1));
});
