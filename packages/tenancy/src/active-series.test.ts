import { FakeClock } from '@weir/testkit';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ActiveSeries } from './active-series.ts';
import { effectiveTenant } from './tenant.ts';

const MIB = 1024 ** 2;
const HALF_AN_HOUR = 30 * 60_000;

function tenant(name: string, activeSeries: number | 'none' = 1_000_000) {
  return effectiveTenant(name, { keys: [], limits: { activeSeries } }, undefined);
}

function setUp(bytesMax = MIB, seed = 99) {
  const clock = new FakeClock();
  return { clock, series: new ActiveSeries(clock, seed, { bytesMax }) };
}

/** Sends series `from` to `to` of a tenant; returns how many were taken. */
function send(series: ActiveSeries, name: string, from: number, to: number, max?: number): number {
  const gate = series.open(tenant(name, max));
  let taken = 0;
  for (let i = from; i < to; i++) if (gate?.admit(Math.imul(i + 1, 0x9e3779b1), i | 0) === true) taken++;
  return taken;
}

const activeOf = (series: ActiveSeries, name: string) => new Map(series.entries()).get(name) ?? 0;

describe('active series', () => {
  test('are taken up to the limit, and those that are known go on', () => {
    const { series } = setUp();
    expect(send(series, 'a', 0, 150, 100)).toBe(100);
    expect(send(series, 'a', 0, 150, 100)).toBe(100);
    expect(send(series, 'a', 100, 150, 120)).toBe(20);
    expect(send(series, 'a', 0, 150, 10)).toBe(120);
    expect(send(series, 'b', 0, 50, 100)).toBe(50);
    expect(series.entries()).toEqual([
      ['a', 120],
      ['b', 50],
    ]);
  });

  test('are not looked at where there is no limit', () => {
    expect(setUp().series.open(tenant('a', 'none'))).toBeUndefined();
  });

  test('that are not seen for an hour are forgotten, and make room; those that are seen stay', async () => {
    const { clock, series } = setUp();
    send(series, 'a', 0, 100, 100);
    await clock.advance(HALF_AN_HOUR);
    expect(send(series, 'a', 0, 60, 100)).toBe(60);
    expect(send(series, 'a', 200, 300, 100)).toBe(0);
    await clock.advance(HALF_AN_HOUR);
    expect(activeOf(series, 'a')).toBe(60);
    expect(send(series, 'a', 200, 300, 100)).toBe(40);
    await clock.advance(10 * HALF_AN_HOUR);
    expect([series.entries(), series.bytes]).toEqual([[], 0]);
  });

  test('are counted as a plain set would, whatever comes', () => {
    const step = fc.oneof(
      { weight: 9, arbitrary: fc.record({ from: fc.nat(200), count: fc.nat(60), max: fc.nat({ max: 150 }) }) },
      { weight: 1, arbitrary: fc.constant('turn' as const) },
    );
    fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 30 }), fc.integer(), async (steps, seed) => {
        const { clock, series } = setUp(MIB, seed);
        let [now, before] = [new Set<number>(), new Set<number>()];
        for (const step of steps) {
          if (step === 'turn') {
            await clock.advance(HALF_AN_HOUR);
            [before, now] = [now, new Set()];
          } else {
            const { from, count, max } = step;
            let taken = 0;
            for (let i = from; i < from + count; i++) {
              if (!now.has(i) && !before.has(i) && new Set([...now, ...before]).size >= max + 1) continue;
              now.add(i);
              taken++;
            }
            expect(send(series, 'a', from, from + count, max + 1)).toBe(taken);
          }
          expect(activeOf(series, 'a')).toBe(new Set([...now, ...before]).size);
        }
      }),
      { numRuns: 200 },
    );
  });
});

describe('the bound of all tenants together', () => {
  test('holds, whatever they send', () => {
    const { series } = setUp(MIB);
    for (let round = 0; round < 20; round++) {
      for (const name of ['a', 'b', 'c']) send(series, name, round * 20_000, (round + 1) * 20_000);
      expect(series.bytes).toBeLessThanOrEqual(MIB);
    }
    expect(series.entries().every(([, active]) => active > 0)).toBe(true);
  });

  test('keeps one tenant from pushing out the others: it loses what it has above an equal share', () => {
    const { series } = setUp(MIB);
    const large = send(series, 'large', 0, 200_000);
    // A table of half a MiB holds 65,536, of which 0.6 may be taken; the next would be the whole bound.
    expect(large).toBe(Math.ceil(65_536 * 0.6));
    for (let quiet = 0; quiet < 20; quiet++) expect(send(series, `quiet-${quiet}`, 0, 2_000)).toBe(2_000);
    for (let round = 0; round < 3; round++) {
      send(series, 'large', 0, 200_000);
      for (let quiet = 0; quiet < 20; quiet++) expect(send(series, `quiet-${quiet}`, 0, 2_000)).toBe(2_000);
    }
    expect(series.bytes).toBeLessThanOrEqual(MIB);
    expect(activeOf(series, 'large')).toBeGreaterThan(1_000);
  });

  test('refuses only what is new of a tenant that has its share', () => {
    const { series } = setUp(MIB);
    const taken = send(series, 'large', 0, 200_000);
    expect(send(series, 'large', 0, taken)).toBe(taken);
    expect(send(series, 'large', taken, taken + 100)).toBe(0);
  });
});

test('hashes that are made to meet in one place do not: each is taken, whatever the half that is the same', () => {
  for (const pair of [(i: number) => [7, i], (i: number) => [i, 7], (i: number) => [i, i]] as const) {
    const gate = setUp(64 * MIB).series.open(tenant('a'))!;
    let taken = 0;
    for (let i = 0; i < 20_000; i++) if (gate.admit(pair(i)[0]!, pair(i)[1]!)) taken++;
    expect(taken).toBe(20_000);
  }
});
