import type { RawEntry } from '@weir/normalize';
import { expect, test } from 'vitest';
import { LIMITS } from '../limits.ts';
import { pauseAfter } from './raw-source.ts';

const entry: RawEntry = {
  kind: 'poison',
  offset: 9,
  reason: 'corrupt_record',
  message: '',
  value: Buffer.alloc(0),
};
const page = { entries: [entry], bytes: 100, nextOffset: 10, endOffset: 10 };

test('the next page waits where little came and nothing is behind it, and else comes at once', () => {
  expect(pauseAfter(page)).toBe(LIMITS.gatherMs);
  expect(pauseAfter({ ...page, endOffset: 11 })).toBe(0);
  expect(pauseAfter({ ...page, bytes: LIMITS.gatherBytesMax })).toBe(0);
  expect(pauseAfter({ ...page, entries: [], bytes: 0 })).toBe(0);
});
