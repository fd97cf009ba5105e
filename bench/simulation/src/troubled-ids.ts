import { CORRUPT } from './simulated-blocks.ts';
import { BAD, DOUBTFUL, OFFENDING, PASSING } from './simulated-clickhouse.ts';

/** Ends of names of items that ClickHouse refuses, and how many of all items have them. */
const TROUBLED: readonly (readonly [end: string, share: number])[] = [
  [BAD, 0.01],
  [DOUBTFUL, 0.01],
  [PASSING, 0.005],
  [OFFENDING, 0.005],
  [CORRUPT, 0.002],
];
/** End of an item's name, by chance. */
export function endOf(chance: number): string {
  let from = 0;
  for (const [end, share] of TROUBLED) {
    from += share;
    if (chance < from) return end;
  }
  return '';
}
