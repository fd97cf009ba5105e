import { expect, test } from 'vitest';
import { slower } from './known.ts';

const KNOWN = { commit: 'abc', ratios: { scan: 10, transcode: 20 } };

test('a ratio that fell by more than 15 % is told, one that fell less or rose is not', () => {
  const found = [
    { name: 'scan', ratio: 8.4 },
    { name: 'transcode', ratio: 17.1 },
  ];
  expect(slower(found, KNOWN)).toEqual(['scan']);
  expect(slower([{ name: 'scan', ratio: 99 }], KNOWN)).toEqual([]);
});

test('what was never kept cannot have got slower', () => {
  expect(slower([{ name: 'new', ratio: 0.1 }], KNOWN)).toEqual([]);
  expect(slower([{ name: 'scan', ratio: 0.1 }], undefined)).toEqual([]);
});
