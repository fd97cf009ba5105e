import type { Fence, RowsMeta } from '@weir/records';
import { expect, test } from 'vitest';
import { decodeCommitMetadata, encodeCommitMetadata } from './commit-metadata.ts';
import { INITIAL_STATE, RowsReader } from './rows-reader.ts';

const A = 'aaaaaaaaaaaaaaaa';
const B = 'bbbbbbbbbbbbbbbb';

function fence(epoch: number, owner: string): Fence {
  return { kind: 'fence', epoch, owner };
}

function rows(epoch: number, owner: string, rawFirst: number, rawLast: number): RowsMeta {
  return { kind: 'rows', epoch, owner, rawFirst, rawLast, oldestReceivedAtNs: 0n, sections: [], marks: [] };
}

test('what a former owner writes after the fence of the next one does not count', () => {
  const reader = new RowsReader();
  const taken = [fence(1, A), rows(1, A, 0, 1), fence(2, B), rows(1, A, 2, 3), rows(2, B, 2, 4)].map((meta) =>
    reader.takes(meta),
  );
  expect(taken).toEqual([false, true, false, false, true]);
  expect(reader.state).toEqual({ epoch: 2, owner: B, rawLast: 4 });
});

test('of two fences with the same epoch the first one counts', () => {
  const reader = new RowsReader();
  const taken = [fence(1, A), fence(1, B), rows(1, B, 0, 0), rows(1, A, 0, 0)].map((meta) => reader.takes(meta));
  expect(taken).toEqual([false, false, false, true]);
});

test('a late copy of an old fence and a repeated record are nothing', () => {
  const reader = new RowsReader();
  for (const meta of [fence(1, A), rows(1, A, 0, 5), fence(2, B)]) reader.takes(meta);
  reader.takes(fence(1, A));
  expect(reader.takes(rows(2, B, 6, 8))).toBe(true);
  expect(reader.takes(rows(2, B, 6, 8))).toBe(false);
});

test('a reader that starts from the state of another goes on as that one would', () => {
  const first = new RowsReader();
  for (const meta of [fence(1, A), rows(1, A, 0, 5)]) first.takes(meta);
  const text = encodeCommitMetadata({ mark: 9, state: first.state });
  const decoded = decodeCommitMetadata(text);
  expect(decoded).toEqual({ mark: 9, state: first.state });
  const second = new RowsReader(decoded.state);
  expect(second.takes(rows(1, A, 5, 5))).toBe(false);
  expect(second.takes(rows(1, A, 6, 6))).toBe(true);
});

test('what was refused of a cut is read back', () => {
  const refused = new Map([
    [0, 'c04'],
    [7, '8'],
  ]);
  expect(decodeCommitMetadata(encodeCommitMetadata({ mark: 9, state: INITIAL_STATE, refused }))).toEqual({
    mark: 9,
    state: INITIAL_STATE,
    term: 0,
    refused,
  });
  const settled = { mark: null, state: INITIAL_STATE, term: 7 };
  expect(decodeCommitMetadata(encodeCommitMetadata(settled))).toEqual(settled);
});

test('commit metadata of another version or form says nothing', () => {
  for (const text of [
    '',
    '3;1;1;aa;3',
    '2;1;1;aa;3',
    '1;1;1;aa;3;0;0.f',
    '2;1;1;aa;3;0;0.x',
    '2;1;1;aa;3;0.f',
    '1;x;1;aa;3',
    '1;1;1;aa',
    'null',
  ]) {
    expect(decodeCommitMetadata(text)).toEqual({ mark: null, state: INITIAL_STATE });
  }
  expect(encodeCommitMetadata({ mark: null, state: INITIAL_STATE }).length).toBeLessThan(4_000);
  expect(decodeCommitMetadata(encodeCommitMetadata({ mark: null, state: INITIAL_STATE }))).toEqual({
    mark: null,
    state: INITIAL_STATE,
  });
});
