import { expect, test } from 'vitest';
import { runSeeds } from './campaign.ts';
import { RULES } from './rules.ts';
import { World } from './world.ts';

const SEEDS = 2_000;
const SILENT_SEEDS = 200;
const POWER_SEEDS = 300;
/** Where a rule is missing, one of so many seeds shows it. */
const SEEDS_TO_BITE = 2_000;

test(`${SEEDS} seeds of kills, pauses, lost answers, late appends and refused rows lose, double and misbook nothing`, async () => {
  const { acked, together, togetherRefused, bad } = await runSeeds({ from: 1, seeds: SEEDS });
  expect(bad).toEqual([]);
  expect(acked).toBeGreaterThan(SEEDS * 100);
  expect([together > SEEDS, togetherRefused > 0]).toEqual([true, true]);
}, 300_000);

test(`${SILENT_SEEDS} seeds with a silence after which Kafka has let go of all rows lose nothing either`, async () => {
  const { acked, bad } = await runSeeds({ from: 1, seeds: SILENT_SEEDS, fallsSilent: true });
  expect(bad).toEqual([]);
  expect(acked).toBeGreaterThan(SILENT_SEEDS * 100);
}, 120_000);

test(`${POWER_SEEDS} seeds with a power failure, after which Kafka lacks the ends of logs, lose nothing that was left and nothing later`, async () => {
  const { acked, bad } = await runSeeds({ from: 1, seeds: POWER_SEEDS, losesPower: true });
  expect(bad).toEqual([]);
  expect(acked).toBeGreaterThan(POWER_SEEDS * 100);
}, 120_000);

test.each(RULES)(
  'with %s switched off something is lost, doubled or wrong in the books',
  async (rule) => {
    const { lost, doubled, both, unbooked, misbooked } = await runSeeds({
      from: 1,
      seeds: SEEDS_TO_BITE,
      without: rule,
      untilBad: true,
    });
    expect(lost + doubled + both + unbooked + misbooked).toBeGreaterThan(0);
  },
  120_000,
);

test('the same seed is the same run, to the last step', async () => {
  const traces: string[][] = [[], []];
  for (const lines of traces) await new World(7, { trace: (line) => lines.push(line) }).run();
  expect(traces[0]!.length).toBeGreaterThan(100);
  expect(traces[1]).toEqual(traces[0]);
});
