import { expect, test } from 'vitest';
import { isKept, RETRYABLE, type SeedResult } from './run-row.ts';

const KEPT: SeedResult = {
  row: 'x',
  seed: 1,
  rate: 1,
  sent: 1,
  acked: 1,
  stored: 1,
  lost: 0,
  doubled: 0,
  alien: 0,
  misplaced: 0,
  books: 0,
  recoveryS: 1,
  notRetryable: 0,
  reasons: {},
};

test.each(['lost', 'doubled', 'alien', 'misplaced', 'notRetryable', 'books'] as const)(
  'one %s is one too many',
  (what) => {
    expect(isKept(KEPT)).toBe(true);
    expect(isKept({ ...KEPT, [what]: 1 })).toBe(false);
  },
);

test('a row that expects an answer is not kept where none was like it', () => {
  expect(isKept({ ...KEPT, expected: true })).toBe(true);
  expect(isKept({ ...KEPT, expected: false })).toBe(false);
});

test.each([
  ['HTTP 429', true],
  ['HTTP 413', false],
  ['gRPC 8', true],
  ['gRPC 8 without RetryInfo', false],
  ['gRPC 3', false],
  ['ECONNRESET', true],
])('a client may send again what was answered %s: %s', (reason, may) => {
  expect(RETRYABLE.test(reason)).toBe(may);
});
