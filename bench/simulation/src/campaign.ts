import { type Rule, without } from './rules.ts';
import { type Verdict, World } from './world.ts';

/** What many seeds showed. */
export interface Outcome {
  readonly seeds: number;
  readonly acked: number;
  readonly lost: number;
  readonly doubled: number;
  readonly both: number;
  readonly unbooked: number;
  readonly alien: number;
  readonly misbooked: number;
  readonly together: number;
  readonly togetherRefused: number;
  readonly stuck: number;
  /** Seeds that showed anything but acknowledged items stored once; each replays exactly. */
  readonly bad: readonly number[];
}

export interface CampaignOptions {
  readonly from: number;
  readonly seeds: number;
  /** Runs with this rule switched off. */
  readonly without?: Rule | undefined;
  /** Nobody sends for a while, and Kafka lets go of all rows. */
  readonly fallsSilent?: boolean;
  /** All processes end at once, and Kafka loses the ends of logs. */
  readonly losesPower?: boolean;
  /** Ends at the first seed in which something went wrong with an item. */
  readonly untilBad?: boolean;
  readonly onSeed?: (seed: number, verdict: Verdict) => void;
}

export function isBad({ lost, doubled, both, unbooked, alien, misbooked, stuck }: Verdict): boolean {
  return lost + doubled + both + unbooked + alien + misbooked > 0 || stuck;
}

const ZEROS = {
  ...{ acked: 0, lost: 0, doubled: 0, both: 0, unbooked: 0, alien: 0, misbooked: 0 },
  ...{ together: 0, togetherRefused: 0 },
};
const WRONG = ['lost', 'doubled', 'both', 'unbooked', 'alien', 'misbooked'] as const;
const COUNTS = Object.keys(ZEROS) as (keyof typeof ZEROS)[];

/** Runs one seed after another. */
export function runSeeds({ from, seeds, untilBad, onSeed, ...options }: CampaignOptions): Promise<Outcome> {
  return without(options.without, async () => {
    const sum = { ...ZEROS, seeds: 0, stuck: 0 };
    const bad: number[] = [];
    for (let seed = from; seed < from + seeds; seed++) {
      const verdict = await new World(seed, options).run();
      sum.seeds++;
      for (const key of COUNTS) sum[key] += verdict[key];
      if (verdict.stuck) sum.stuck++;
      if (isBad(verdict)) bad.push(seed);
      onSeed?.(seed, verdict);
      if (untilBad === true && WRONG.some((key) => sum[key] > 0)) break;
    }
    return { ...sum, bad };
  });
}
