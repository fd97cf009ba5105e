import { expect, test } from 'vitest';
import { isBorne, type PeakStep, searchPeak } from './peak.ts';

const BORNE = { accepted: 1, p99Ms: 100, recoveryS: 1 };

/** A machine that bears up to `limit` spans a second. */
const machine =
  (limit: number) =>
  async (rate: number): Promise<PeakStep> => ({ rate, ...BORNE, p99Ms: rate <= limit ? 100 : 5_000 });

test.each([700, 1_500, 7_000, 20_000, 31_000, 64_000, 230_000])(
  'the peak of %i spans/s is found from below',
  async (limit) => {
    const { rate, steps } = await searchPeak(machine(limit));
    expect(rate).toBeLessThanOrEqual(limit);
    if (limit >= 1_500) expect(rate).toBeGreaterThan(limit * 0.6);
    else expect(rate).toBe(0);
    expect(steps.length).toBeLessThan(15);
  },
);

test.each([
  [{}, true],
  [{ p99Ms: 1_001 }, false],
  [{ accepted: 0.98 }, false],
  [{ recoveryS: 5.1 }, false],
])('a step with %j is borne: %s', (change, borne) => {
  expect(isBorne({ rate: 1, ...BORNE, ...change })).toBe(borne);
});
