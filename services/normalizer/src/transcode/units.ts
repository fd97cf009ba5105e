/** What a metric's unit becomes: values are multiplied by `factor` (divided by `divisor` where that is exact and a factor is not). */
export interface BaseUnit {
  readonly unit: string;
  readonly factor: number;
  /** log2 of the factor where it is a power of two; null otherwise. */
  readonly log2: number | null;
}

const unit = (name: string, factor: number, log2: number | null = null): BaseUnit => ({ unit: name, factor, log2 });
const bytes = (log2: number): BaseUnit => unit('By', 2 ** log2, log2);

/** UCUM units to their base unit: time to s, bytes to By, percent to 1. A unit that is not here is left as it is. */
export const BASE_UNITS: ReadonlyMap<string, BaseUnit> = new Map([
  ['ns', unit('s', 1e-9)],
  ['us', unit('s', 1e-6)],
  ['µs', unit('s', 1e-6)],
  ['ms', unit('s', 1e-3)],
  ['min', unit('s', 60)],
  ['h', unit('s', 3_600)],
  ['d', unit('s', 86_400)],
  ['wk', unit('s', 604_800)],
  ['kBy', unit('By', 1e3)],
  ['KBy', unit('By', 1e3)],
  ['MBy', unit('By', 1e6)],
  ['GBy', unit('By', 1e9)],
  ['TBy', unit('By', 1e12)],
  ['KiBy', bytes(10)],
  ['MiBy', bytes(20)],
  ['GiBy', bytes(30)],
  ['TiBy', bytes(40)],
  ['bit', unit('By', 0.125, -3)],
  ['%', unit('1', 0.01)],
]);

/** Attribute that keeps the unit a metric was sent with. */
export const ORIGINAL_UNIT = 'weir.unit.original';

/** Attribute that says why a metric kept its unit though a base unit exists. */
export const UNIT_UNCHANGED = 'weir.unit.unchanged';

/** Value of {@link UNIT_UNCHANGED}: no whole shift of the buckets is as large as the factor. */
export const UNCHANGED_BUCKETS = 'exponential buckets cannot be scaled exactly';

/**
 * Multiplies by the factor. Factors below 1 divide by their inverse, which is a whole number and exact, so that 1500 ms
 * is 1.5 s and not 1.5000000000000002.
 */
export function toBase(value: number, base: BaseUnit): number {
  return base.factor < 1 ? value / Math.round(1 / base.factor) : value * base.factor;
}

/**
 * By how much the bucket offset of an exponential histogram of `scale` moves under the unit's factor, or null where the
 * buckets would not stay exact: bucket i holds (base^i, base^(i+1)] with base = 2^(2^-scale), so a factor of 2^n moves
 * it by n * 2^scale, which has to be whole.
 */
export function bucketShift(base: BaseUnit, scale: number): number | null {
  if (base.log2 === null) return null;
  const shift = base.log2 * 2 ** scale;
  return Number.isInteger(shift) && Math.abs(shift) < 2 ** 30 ? shift : null;
}
