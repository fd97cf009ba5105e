/** The middle value, or the mean of the two in the middle. @throws where there are no values */
export function median(values: readonly number[]): number {
  if (values.length === 0) throw new Error('no values have a median');
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}
