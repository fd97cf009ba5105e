/**
 * The capacity to go on with after a block: half of what there is where less than a quarter of it was used, so that one
 * large block does not hold its memory for ever and a steady size is never given back.
 */
export function keptCapacity(capacity: number, used: number, min: number): number {
  return capacity > min && used < capacity / 4 ? Math.max(min, capacity / 2) : capacity;
}
