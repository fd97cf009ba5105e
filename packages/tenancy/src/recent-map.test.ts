import fc from 'fast-check';
import { expect, test } from 'vitest';
import { RecentMap } from './recent-map.ts';

test('never holds more than its bound, and always what was asked for among the last half of it', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(40), { maxLength: 300 }), fc.integer({ min: 2, max: 20 }), (keys, max) => {
      const map = new RecentMap<number>(max);
      const recent: number[] = [];
      for (const key of keys) {
        const isKept = [...new Set(recent.toReversed())].slice(0, Math.floor(max / 2)).includes(key);
        if (isKept) expect(map.get(String(key))).toBe(key);
        else if (map.get(String(key)) === undefined) map.set(String(key), key);
        recent.push(key);
        expect(map.size).toBeLessThanOrEqual(max);
        expect([...map.entries()].length).toBe(map.size);
      }
    }),
  );
});

test('lets go of what is taken out', () => {
  const map = new RecentMap<number>(4);
  for (const key of ['a', 'b', 'c']) map.set(key, 1);
  map.delete('a');
  map.delete('c');
  expect([map.get('a'), map.get('b'), map.get('c'), map.size]).toEqual([undefined, 1, undefined, 1]);
});
