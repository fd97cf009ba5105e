import { expect, test } from 'vitest';
import { LaneTurns } from './lane-turns.ts';

const TURN_MS = 250;
const TURNS = 20_000;
const SEED = 0xc0ffee;

/** Which of the lanes is the first in each of the turns. */
function firsts(lanes: readonly number[], seed = SEED): number[] {
  const turns = new LaneTurns(16, seed, TURN_MS);
  return Array.from({ length: TURNS }, (_, turn) => {
    const places = turns.placesAt(turn * TURN_MS);
    return lanes.reduce((first, lane) => (places[lane]! < places[first]! ? lane : first));
  });
}

const share = (count: number) => count / TURNS;
const same = (a: readonly number[], b: readonly number[]) => share(a.filter((first, turn) => first === b[turn]).length);

test('each lane is the first as often as the others, and holds that for a turn', () => {
  const lanes = [0, 1, 7, 15];
  const found = firsts(lanes);
  for (const lane of lanes) expect(share(found.filter((first) => first === lane).length)).toBeCloseTo(1 / 4, 1);
  const turns = new LaneTurns(16, SEED, TURN_MS);
  const began = [...turns.placesAt(3 * TURN_MS)];
  expect([...turns.placesAt(4 * TURN_MS - 1)]).toEqual(began);
  expect([...turns.placesAt(4 * TURN_MS)]).not.toEqual(began);
});

test('who has lanes in common goes to one of these more often than by chance', () => {
  // Two of six: by chance alone it would be one turn in eight.
  expect(same(firsts([0, 1, 2, 3]), firsts([2, 3, 4, 5]))).toBeCloseTo(1 / 3, 1);
  expect(same(firsts([0, 1, 2, 3]), firsts([3, 2, 1, 0]))).toBe(1);
});

test('another edge has other turns', () => {
  expect(same(firsts([0, 1, 2, 3]), firsts([0, 1, 2, 3], SEED + 1))).toBeCloseTo(1 / 4, 1);
});
