import { expect, test } from 'vitest';
import { isKept, ROWS, runRow } from '../src/index.ts';

// One seed of each row of the short set; the whole table is run by hand (npm run faults).
test.each(ROWS.filter(({ short }) => short))('$fault', async (row) => {
  const results = await runRow(row, { seeds: 1, rate: 4_000, seconds: 3, onSeed: () => undefined });
  for (const result of results) {
    expect(result.acked).toBeGreaterThan(0);
    expect(result).toMatchObject({ lost: 0, doubled: 0, alien: 0, misplaced: 0, notRetryable: 0, books: 0 });
    expect(isKept(result)).toBe(true);
  }
});
