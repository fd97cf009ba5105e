import { expect, test } from 'vitest';
import { searchRate } from './search-rate.ts';

const OPTIONS = { from: 20_000, growth: 1.5, refinements: 3, round: 500 };

async function search(peak: number): Promise<{ found: number; tried: number }> {
  let tried = 0;
  const found = await searchRate(OPTIONS, async (rate) => {
    tried++;
    return rate <= peak;
  });
  return { found, tried };
}

test.each([21_000, 38_000, 150_000, 9_000, 700])(
  'a peak of %i is found from below, within an eighth of a step',
  async (peak) => {
    const { found, tried } = await search(peak);
    expect(found).toBeLessThanOrEqual(peak);
    expect(found).toBeGreaterThanOrEqual(Math.floor((peak * 0.9) / 500) * 500);
    expect(tried).toBeLessThan(16);
  },
);

test('where nothing is sustained it ends with 0', async () => {
  expect((await search(0)).found).toBe(0);
});
