import { expect, test } from 'vitest';
import { laneOf, MIXED_LANE } from './lanes.ts';

const IN_USE = [1, 2, 3, 5, 7, 10, 14, 15, 21, 28, 30, 31, 45, 60, 90, 120, 180, 365, 366, 400, 730, 1095, 3650];

test('two days in a row and the usual retentions have lanes of their own', () => {
  const lanes = IN_USE.flatMap((retention) => [laneOf(20_778, retention), laneOf(20_779, retention)]);
  expect(new Set(lanes).size).toBe(2 * IN_USE.length);
});

test('a lane is a byte, and never that of mixed rows', () => {
  const lanes = new Set<number>();
  for (let retention = 1; retention <= 36_500; retention++) {
    for (const day of [0, 1, 65_535]) lanes.add(laneOf(day, retention));
  }
  expect([Math.min(...lanes) > MIXED_LANE, Math.max(...lanes)]).toEqual([true, 254]);
});
