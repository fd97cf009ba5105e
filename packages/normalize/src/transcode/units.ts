/** What a metric's unit becomes. A value is multiplied by `times`, or divided by `over` where the factor is a fraction. */
export interface BaseUnit {
  readonly unit: string;
  readonly times: number;
  readonly over: number;
  /** log2 of the factor where it is a power of two; null otherwise. */
  readonly log2: number | null;
}

const times = (unit: string, factor: number): BaseUnit => ({ unit, times: factor, over: 1, log2: null });
const over = (unit: string, divisor: number): BaseUnit => ({ unit, times: 1, over: divisor, log2: null });
const binary = (log2: number): BaseUnit => ({ unit: 'By', times: 2 ** log2, over: 1, log2 });

/**
 * UCUM units to their base unit: time to s, bytes to By, percent to 1. A unit that is not here is left as it is, counts
 * like `{request}` and rates like `By/s` among them. KBy is no UCUM, but is sent.
 */
export const BASE_UNITS: ReadonlyMap<string, BaseUnit> = new Map([
  ['ns', over('s', 1e9)],
  ['us', over('s', 1e6)],
  ['\u00b5s', over('s', 1e6)],
  ['\u03bcs', over('s', 1e6)],
  ['ms', over('s', 1e3)],
  ['min', times('s', 60)],
  ['h', times('s', 3_600)],
  ['d', times('s', 86_400)],
  ['wk', times('s', 604_800)],
  ['kBy', times('By', 1e3)],
  ['KBy', times('By', 1e3)],
  ['MBy', times('By', 1e6)],
  ['GBy', times('By', 1e9)],
  ['TBy', times('By', 1e12)],
  ['PBy', times('By', 1e15)],
  ['KiBy', binary(10)],
  ['MiBy', binary(20)],
  ['GiBy', binary(30)],
  ['TiBy', binary(40)],
  ['PiBy', binary(50)],
  ['%', over('1', 100)],
]);

/** Attribute that keeps the unit a metric was sent with. */
export const ORIGINAL_UNIT = 'weir.unit.original';

/** Attribute that says why a metric kept its unit though a base unit exists. */
export const UNIT_UNCHANGED = 'weir.unit.unchanged';

/** Value of {@link UNIT_UNCHANGED}: no whole shift of the buckets is as large as the factor. */
export const UNCHANGED_BUCKETS = 'exponential buckets cannot be scaled exactly';

/** A value in the base unit. Fractions divide by a whole number, so that 1500 ms is 1.5 s and not 1.5000000000000002. */
export function toBase(value: number, base: BaseUnit): number {
  return (value * base.times) / base.over;
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
