import { ClickHouseError } from '@clickhouse/client';
import { DependencyError } from '@weir/pipeline';
import { expect, test } from 'vitest';
import { fromClickHouseError } from './errors.ts';

const answered = (code: number) =>
  fromClickHouseError(new ClickHouseError({ message: 'said ClickHouse', code: String(code), type: 'T' }));

test.each([6, 33, 53, 117, 395, 469])('%d is a judgement on the bytes', (code) => {
  expect(answered(code)).toMatchObject({ code: 'rejected', retryable: false });
});

test.each([
  ['a column that the schema does not have yet', 16],
  ['a table that is not there yet', 60],
  ['a grant that was revoked', 497],
  ['a quota', 201],
  ['a full disk', 243],
  ['too many parts', 252],
  ['a fault of its file system', 1_001],
  ['a number that nobody knows', 99_999],
])('%s is waited for', (_what, code) => {
  expect(answered(code)).toMatchObject({ code: 'unavailable', retryable: true });
});

test('what is no answer at all is waited for, and what was mapped stays', () => {
  expect(fromClickHouseError(new TypeError('x'))).toMatchObject({ code: 'unavailable', retryable: true });
  const mapped = new DependencyError('clickhouse', 'timeout', 'x', { retryable: true });
  expect(fromClickHouseError(mapped)).toBe(mapped);
});
