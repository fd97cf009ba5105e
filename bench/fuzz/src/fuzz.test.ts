import { expect, test } from 'vitest';
import { runCampaign } from './campaign.ts';
import { TARGETS } from './targets.ts';

const SEED = 20_261;
/** Some seconds in all. */
const CASES: Readonly<Record<string, number>> = {
  scan: 3_000,
  transcode: 1_500,
  json: 1_500,
  split: 1_500,
  inflate: 500,
};

test.each(TARGETS)('$name does with changed exports what its oracle does', { timeout: 120_000 }, async (target) => {
  const { failures, cases, tally } = await runCampaign(target, { seed: SEED, cases: CASES[target.name]! });
  const [first] = failures;
  const again = `npm run fuzz -- --target ${target.name} --seed ${first?.seed} --case ${first?.index}`;
  expect(failures.length, `${first?.message}; again: ${again}`).toBe(0);
  expect(cases).toBeGreaterThan(CASES[target.name]!);
  // Neither all taken nor all refused: then nothing would be shown.
  for (const share of shares(tally, cases)) expect(share).toBeGreaterThan(0.1);
});

/** How many cases were refused, and how many were not. */
function shares(tally: Readonly<Record<string, number>>, cases: number): number[] {
  const refused = Object.entries(tally).filter(([name]) => /refused|malformed|too large/.test(name));
  const share = refused.reduce((sum, [, count]) => sum + count, 0) / cases;
  return [share, 1 - share];
}
