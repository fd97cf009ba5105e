import fc from 'fast-check';
import { expect, test } from 'vitest';
import { differences, differencesLine } from './differences.ts';

test('each leaf that changed, came or went is named with both values', () => {
  const before = { limits: { items: { perSecond: 100, burst: 5 }, retentionDays: 7 }, keys: [{ prefix: 'a' }] };
  const after = {
    limits: { items: { perSecond: 200, burst: 5 }, weight: 2 },
    keys: [{ prefix: 'a' }, { prefix: 'b' }],
  };
  expect(differences(before, after)).toEqual([
    'keys.1.prefix: not set -> "b"',
    'limits.items.perSecond: 100 -> 200',
    'limits.retentionDays: 7 -> not set',
    'limits.weight: not set -> 2',
  ]);
});

test('equal values have no differences, and different ones do', () => {
  const value = fc.dictionary(fc.constantFrom('a', 'b', 'c'), fc.oneof(fc.integer(), fc.boolean(), fc.string()));
  fc.assert(fc.property(value, (one) => differences(one, structuredClone(one)).length === 0));
  fc.assert(
    fc.property(value, value, (one, other) => {
      const changed = ['a', 'b', 'c'].filter((key) => one[key] !== other[key]);
      expect(differences(one, other)).toHaveLength(changed.length);
    }),
  );
});

test('a line shows the first few and how many more there are', () => {
  const many = Object.fromEntries(Array.from({ length: 9 }, (_, number) => [`k${number}`, number]));
  expect(differencesLine({}, many)).toMatch(/^k0: not set -> 0; .*k4: not set -> 4; and 4 more$/);
});
