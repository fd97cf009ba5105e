import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { waterLevel } from './water-level.ts';

const wish = fc.record({ demand: fc.nat(1_000_000), weight: fc.integer({ min: 1, max: 1_000 }) });
const wishes = fc.array(wish, { minLength: 1, maxLength: 50 });
const total = (numbers: readonly number[]) => numbers.reduce((sum, one) => sum + one, 0);

function sharesOf(all: readonly { demand: number; weight: number }[], capacity: number): number[] {
  const level = waterLevel(all, capacity);
  return all.map(({ demand, weight }) => Math.min(demand, weight * level));
}

describe('max-min fair shares', () => {
  test('add up to the capacity, or to all that is wanted, and none is above what it wants', () => {
    fc.assert(
      fc.property(wishes, fc.nat(10_000_000), (all, capacity) => {
        const shares = sharesOf(all, capacity);
        const wanted = total(all.map(({ demand }) => demand));
        expect(total(shares)).toBeCloseTo(Math.min(wanted, capacity), 3);
        for (const [at, share] of shares.entries()) expect(share).toBeLessThanOrEqual(all[at]!.demand);
      }),
    );
  });

  test('are by weight among those who do not get all that they want', () => {
    fc.assert(
      fc.property(wishes, fc.integer({ min: 1, max: 10_000_000 }), (all, capacity) => {
        const short = sharesOf(all, capacity)
          .map((share, at) => ({ share, ...all[at]! }))
          .filter(({ share, demand }) => share < demand);
        const levels = short.map(({ share, weight }) => share / weight);
        for (const level of levels) expect(level).toBeCloseTo(levels[0]!, 6);
      }),
    );
  });

  test('do not depend on the order', () => {
    fc.assert(
      fc.property(wishes, fc.nat(1_000_000), (all, capacity) => {
        expect(waterLevel(all.toReversed(), capacity)).toBeCloseTo(waterLevel(all, capacity), 6);
      }),
    );
  });

  test('without a capacity are nothing, and without a shortage have no level', () => {
    expect(sharesOf([{ demand: 5, weight: 1 }], 0)).toEqual([0]);
    expect(waterLevel([{ demand: 5, weight: 1 }], 5)).toBe(Number.POSITIVE_INFINITY);
    expect(waterLevel([], 5)).toBe(Number.POSITIVE_INFINITY);
  });
});
