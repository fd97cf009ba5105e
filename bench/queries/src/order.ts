/** All of them, another one first each time. */
export const turned = <T>(all: readonly T[], by: number): T[] => all.map((_, index) => all[(index + by) % all.length]!);

/** The middle one, or the mean of the two in the middle. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const half = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[half]! : (sorted[half - 1]! + sorted[half]!) / 2;
}
