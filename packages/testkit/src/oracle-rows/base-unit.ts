/** What a unit's values are multiplied and divided by to be in its base unit, and the factor's power of two if it is one. */
interface Rule {
  readonly to: string;
  readonly times: number;
  readonly over: number;
  readonly log2?: number;
}

const RULES: Readonly<Record<string, Rule>> = {
  ns: { to: 's', times: 1, over: 1_000_000_000 },
  us: { to: 's', times: 1, over: 1_000_000 },
  '\u00b5s': { to: 's', times: 1, over: 1_000_000 },
  '\u03bcs': { to: 's', times: 1, over: 1_000_000 },
  ms: { to: 's', times: 1, over: 1_000 },
  min: { to: 's', times: 60, over: 1 },
  h: { to: 's', times: 3_600, over: 1 },
  d: { to: 's', times: 86_400, over: 1 },
  wk: { to: 's', times: 604_800, over: 1 },
  kBy: { to: 'By', times: 1e3, over: 1 },
  KBy: { to: 'By', times: 1e3, over: 1 },
  MBy: { to: 'By', times: 1e6, over: 1 },
  GBy: { to: 'By', times: 1e9, over: 1 },
  TBy: { to: 'By', times: 1e12, over: 1 },
  PBy: { to: 'By', times: 1e15, over: 1 },
  KiBy: { to: 'By', times: 2 ** 10, over: 1, log2: 10 },
  MiBy: { to: 'By', times: 2 ** 20, over: 1, log2: 20 },
  GiBy: { to: 'By', times: 2 ** 30, over: 1, log2: 30 },
  TiBy: { to: 'By', times: 2 ** 40, over: 1, log2: 40 },
  PiBy: { to: 'By', times: 2 ** 50, over: 1, log2: 50 },
  '%': { to: '1', times: 1, over: 100 },
};

/** How the values of one point are converted. */
export interface Conversion {
  readonly unit: string;
  readonly scale: (value: number) => number;
  /** By how much the offsets of exponential buckets move. */
  readonly offset: number;
  /** Attributes that say what was done. */
  readonly said: [string, string][];
}

/** The conversion of a point in `unit`; `scale` is that of its exponential buckets, if it has any. */
export function conversionOf(unit: string, scale?: number): Conversion {
  const rule = Object.hasOwn(RULES, unit) ? RULES[unit] : undefined;
  if (rule === undefined) return { unit, scale: (value) => value, offset: 0, said: [] };
  if (scale === undefined) return converted(unit, rule, 0);
  const offset = rule.log2 === undefined ? Number.NaN : rule.log2 * 2 ** scale;
  if (Number.isInteger(offset) && Math.abs(offset) < 2 ** 30) return converted(unit, rule, offset);
  const said = 'exponential buckets cannot be scaled exactly';
  return { unit, scale: (value) => value, offset: 0, said: [['weir.unit.unchanged', said]] };
}

function converted(unit: string, rule: Rule, offset: number): Conversion {
  const scale = (value: number) => (value * rule.times) / rule.over;
  return { unit: rule.to, scale, offset, said: [['weir.unit.original', unit]] };
}
