/** How a search goes. */
export interface SearchOptions {
  readonly from: number;
  readonly growth: number;
  /** Halvings of the distance between what is sustained and what is not. */
  readonly refinements: number;
  /** Rates are multiples of it. */
  readonly round: number;
  /** None is below; `round` where it is left out. */
  readonly least?: number;
}

/** Grows a rate until it is not sustained any more, shrinks it where the first is not, and halves the distance. 0 where none is. */
export async function searchRate(
  { from, growth, refinements, round, least = round }: SearchOptions,
  sustains: (rate: number) => Promise<boolean>,
): Promise<number> {
  const rounded = (rate: number) => Math.max(least, Math.round(rate / round) * round);
  let low = 0;
  let high = rounded(from);
  while (await sustains(high)) {
    low = high;
    high = Math.max(high + round, rounded(high * growth));
  }
  while (low === 0 && high > least) {
    const lower = rounded(high / growth);
    if (lower >= high) break;
    if (await sustains(lower)) low = lower;
    else high = lower;
  }
  for (let step = 0; low > 0 && step < refinements; step++) {
    const middle = rounded((low + high) / 2);
    if (middle <= low || middle >= high) break;
    if (await sustains(middle)) low = middle;
    else high = middle;
  }
  return low;
}
