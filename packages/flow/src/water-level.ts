/** One who wants a part of something, and how much of it a unit of the level gives. */
export interface Wish {
  readonly demand: number;
  /** More than 0. */
  readonly weight: number;
}

/**
 * The level L at which Σ min(demand, weight · L) is the capacity: max-min fair shares by weight. Whoever wants no more than
 * weight · L has it all. Infinity where the capacity is enough for all.
 */
export function waterLevel(wishes: Iterable<Wish>, capacity: number): number {
  const sorted = [...wishes].sort((a, b) => a.demand * b.weight - b.demand * a.weight);
  let left = capacity;
  let weights = 0;
  for (const { weight } of sorted) weights += weight;
  for (const { demand, weight } of sorted) {
    // The least thirsty first: once one is not satisfied nobody after it is.
    if (demand * weights > weight * left) return Math.max(0, left / weights);
    left -= demand;
    weights -= weight;
  }
  return Number.POSITIVE_INFINITY;
}
