import { describe, expect, test } from 'vitest';
import { BASE_UNITS, bucketShift, toBase } from './units.ts';

describe('a unit', () => {
  test.each([
    ['ns', 1_500_000_000, 's', 1.5],
    ['us', 1_500_000, 's', 1.5],
    ['\u00b5s', 250, 's', 0.00025],
    ['\u03bcs', 250, 's', 0.00025],
    ['ms', 1_500, 's', 1.5],
    ['ms', 0.1, 's', 0.0001],
    ['min', 1.5, 's', 90],
    ['h', 2, 's', 7_200],
    ['d', 1, 's', 86_400],
    ['wk', 1, 's', 604_800],
    ['kBy', 1.5, 'By', 1_500],
    ['MBy', 2, 'By', 2_000_000],
    ['KiBy', 1.5, 'By', 1_536],
    ['MiBy', 1, 'By', 1_048_576],
    ['GiBy', 1, 'By', 1_073_741_824],
    ['%', 12.5, '1', 0.125],
  ])('%s: %d becomes %s: %d, exactly', (unit, value, baseUnit, expected) => {
    const base = BASE_UNITS.get(unit)!;
    expect(base.unit).toBe(baseUnit);
    expect(toBase(value, base)).toBe(expected);
  });

  test.each(['s', 'By', '1', '', '{request}', '{packet}/s', 'By/s', 'Cel', 'bit', 'toString', '__proto__'])(
    '%j is left as it is',
    (unit) => expect(BASE_UNITS.get(unit)).toBeUndefined(),
  );

  test('keeps what is no number', () => {
    expect(toBase(Number.NaN, BASE_UNITS.get('ms')!)).toBeNaN();
    expect(toBase(Number.POSITIVE_INFINITY, BASE_UNITS.get('KiBy')!)).toBe(Number.POSITIVE_INFINITY);
  });
});

describe('the buckets of an exponential histogram', () => {
  test('move by a whole number where the factor is a power of their base', () => {
    const kibi = BASE_UNITS.get('KiBy')!;
    expect(bucketShift(kibi, 0)).toBe(10);
    expect(bucketShift(kibi, 3)).toBe(80);
    expect(bucketShift(kibi, -1)).toBe(5);
  });

  test('hold the same values after the move', () => {
    const kibi = BASE_UNITS.get('KiBy')!;
    for (const scale of [-1, 0, 1, 2, 5]) {
      const base = 2 ** (2 ** -scale);
      const shift = bucketShift(kibi, scale)!;
      for (const offset of [-7, 0, 3]) {
        expect(base ** (offset + shift) / toBase(base ** offset, kibi)).toBeCloseTo(1, 9);
      }
    }
  });

  test('are left where no whole move is as large as the factor', () => {
    expect(bucketShift(BASE_UNITS.get('KiBy')!, -2)).toBeNull();
    expect(bucketShift(BASE_UNITS.get('ms')!, 5)).toBeNull();
    expect(bucketShift(BASE_UNITS.get('kBy')!, 0)).toBeNull();
    expect(bucketShift(BASE_UNITS.get('KiBy')!, 40)).toBeNull();
  });
});
