import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { takes, ZONES, type Zone, ZoneGauge, zoneAt } from './index.ts';

describe('a zone', () => {
  test.each<[number, Zone, Zone]>([
    [0.899, 'open', 'open'],
    [0.9, 'open', 'priority'],
    [1, 'open', 'closed'],
    [0.85, 'priority', 'priority'],
    [0.849, 'priority', 'open'],
    [0.999, 'priority', 'priority'],
    [1, 'priority', 'closed'],
    [0.95, 'closed', 'closed'],
    [0.949, 'closed', 'priority'],
    [0.849, 'closed', 'open'],
    [3, 'open', 'closed'],
  ])('at %d, coming from %s, is %s', (fill, from, zone) => {
    expect(zoneAt(fill, from)).toBe(zone);
  });

  test('is steady: the same fill again changes nothing, and a fuller one never takes more', () => {
    const fill = fc.double({ min: 0, max: 2, noNaN: true });
    fc.assert(
      fc.property(fill, fill, fc.constantFrom(...ZONES), (first, second, from) => {
        expect(zoneAt(first, zoneAt(first, from))).toBe(zoneAt(first, from));
        const [lower, higher] = [first, second].toSorted((a, b) => a - b) as [number, number];
        expect(ZONES.indexOf(zoneAt(lower, from))).toBeLessThanOrEqual(ZONES.indexOf(zoneAt(higher, from)));
      }),
    );
  });

  test('takes everything when open, errors and slow spans in between, and nothing when closed', () => {
    expect(ZONES.map((zone) => [takes(zone, false), takes(zone, true)])).toEqual([
      [true, true],
      [false, true],
      [false, false],
    ]);
  });
});

test('a fill that swings by less than the hysteresis changes the zone once', () => {
  const changes: Zone[] = [];
  const gauge = new ZoneGauge((zone) => changes.push(zone));
  for (let i = 0; i < 100; i++) gauge.observe(i % 2 === 0 ? 0.9 : 0.86);
  expect(changes).toEqual(['priority']);
  gauge.observe(0.84);
  gauge.observe(1);
  expect(changes).toEqual(['priority', 'open', 'closed']);
});
