import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { limitShares } from './limit-shares.ts';

const demands = fc.array(fc.oneof(fc.constant(0), fc.nat(100_000)), { minLength: 1, maxLength: 30 });
const limit = fc.integer({ min: 1, max: 1_000_000 });
const total = (numbers: readonly number[]) => numbers.reduce((sum, one) => sum + one, 0);

describe('the shares of a limit', () => {
  test('add up to the limit, whatever is wanted and wherever', () => {
    fc.assert(
      fc.property(limit, demands, (all, wanted) => {
        const shares = limitShares(all, wanted);
        expect(total(shares) / all).toBeCloseTo(1, 6);
        for (const share of shares) expect(share).toBeGreaterThan(0);
      }),
    );
  });

  test('give each edge what it wants where that is together below four fifths of the limit', () => {
    fc.assert(
      fc.property(demands, (wanted) => {
        const shares = limitShares(Math.max(1, total(wanted) * 1.4), wanted);
        for (const [at, share] of shares.entries()) expect(share).toBeGreaterThanOrEqual(wanted[at]!);
      }),
    );
  });

  test('do not depend on the order of the edges', () => {
    fc.assert(
      fc.property(limit, demands, (all, wanted) => {
        const turned = limitShares(all, wanted.toReversed()).toReversed();
        for (const [at, share] of limitShares(all, wanted).entries())
          expect(share / all).toBeCloseTo(turned[at]! / all, 6);
      }),
    );
  });

  test('are the whole limit for one edge, equal parts without demand, and leave a quiet edge what it wants', () => {
    expect(limitShares(100, [7_000])).toEqual([100]);
    expect(limitShares(100, [0, 0])).toEqual([50, 50]);
    const [busy, quiet] = limitShares(100, [1_000, 8]);
    expect([busy, quiet]).toEqual([90, 10]);
  });
});
