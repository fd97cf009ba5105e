import type { DemandReport, FlowReport } from '@weir/records';
import { effectiveTenant, type Tenant } from '@weir/tenancy';
import { describe, expect, test } from 'vitest';
import { LIMITS } from '../limits.ts';
import { FairShares } from './fair-shares.ts';

const NONE = { offeredItems: 0, offeredBytes: 0, acceptedBytes: 0 };
const FULL: FlowReport = {
  reporter: 'sink',
  track: 'v1',
  role: 'sink',
  fill: 0.8,
  backlogBytes: 48_000,
  backlogSeconds: 48,
  drainBytesPerSecond: 1_000,
  inflowBytesPerSecond: 1_000,
  breaker: { state: 'closed', forMs: 0, waitMs: 0 },
  leaving: false,
  atMs: 0,
};

/** One edge that is offered so many bytes a second of each tenant, an item for every 10, and takes 1,000 in all. */
function demandOf(offered: Readonly<Record<string, number>>): DemandReport {
  const all = Object.values(offered).reduce((sum, bytes) => sum + bytes, 0);
  const tenants = Object.entries(offered).map(([tenant, bytes]) => {
    return { tenant, offeredItems: bytes / 10, offeredBytes: bytes, acceptedBytes: (1_000 * bytes) / all };
  });
  return { edge: 'a', track: 'v1', tenants, rest: NONE, leaving: false, atMs: 0 };
}

/** Shares that have seen the pipe for a while. */
function setUp(offered: Readonly<Record<string, number>>, limits: Readonly<Record<string, object>> = {}) {
  const tenants = new Map<string, Tenant>(
    Object.entries(limits).map(([name, each]) => [name, effectiveTenant(name, { keys: [], limits: each }, undefined)]),
  );
  const shares = new FairShares('a', (name) => tenants.get(name));
  const refresh = (report: FlowReport | undefined, atS: number) =>
    shares.refresh(report, [demandOf(offered)], atS * 1_000);
  for (let second = 0; second < 5; second++) refresh(FULL, second);
  /** What of a tenant's bytes is taken within ten seconds. */
  const takenOf = (tenant: string) => {
    let taken = 0;
    for (let ms = 4_000; ms < 14_000; ms += 10) if (shares.take(tenant, 10, ms) === undefined) taken += 10;
    return taken;
  };
  return { shares, refresh, takenOf };
}

describe('fair shares of a pipe that is nearly full', () => {
  test('leave alone whoever wants no more than its share, and hold the others to what is left', () => {
    const { shares, takenOf } = setUp({ greedy: 5_000, small: 100, smaller: 50 });
    expect([shares.limited, takenOf('small'), takenOf('nobody')]).toEqual([1, 10_000, 10_000]);
    // 850 a second, and a burst of a second of it.
    expect(takenOf('greedy')).toBeGreaterThan(8_400);
    expect(takenOf('greedy')).toBeLessThan(9_500);
  });

  test('count of a tenant only what its own limits let through', () => {
    const quota = { items: { perSecond: 20 } };
    expect(setUp({ greedy: 5_000, other: 600 }, { greedy: quota }).shares.limited).toBe(0);
    expect(setUp({ greedy: 5_000, other: 900 }, { greedy: quota }).shares.limited).toBe(1);
  });

  test('count a limit that holds for each edge once for each of them', () => {
    const each = (scope: 'local' | 'global') => {
      const quota = { items: { perSecond: 80 }, bytes: { perSecond: 800 }, scope };
      const tenants = { greedy: effectiveTenant('greedy', { keys: [], limits: quota }, undefined) };
      const shares = new FairShares('a', (name) => tenants[name as 'greedy']);
      const report = demandOf({ greedy: 2_500, other: 300 });
      const reports = [report, { ...report, edge: 'b' }];
      for (let second = 0; second < 5; second++) shares.refresh(FULL, reports, second * 1_000);
      return shares.limited;
    };
    // Two edges take 2,000 bytes a second. Beside 600 of the other there is room for 800 of the greedy one, but not for twice that.
    expect([each('global'), each('local')]).toEqual([0, 1]);
  });

  test('let an export above the burst pass when the bucket is full, and then wait until it is made up for', () => {
    const { shares } = setUp({ greedy: 5_000 });
    expect(shares.take('greedy', 10_000, 4_000)).toBeUndefined();
    expect(shares.take('greedy', 10, 4_000)).toBeCloseTo(9.01, 1);
    shares.giveBack('greedy', 10_000);
    expect(shares.take('greedy', 10, 4_000)).toBeUndefined();
  });

  test('share what is left of the room while nothing drains, and less of it the fuller it is', () => {
    const stalled = { ...FULL, breaker: { state: 'open', forMs: 1, waitMs: 1 } } as const;
    const { shares, refresh } = setUp({ greedy: 5_000, small: 1_000 });
    refresh({ ...stalled, fill: 0.75 }, 5);
    expect(shares.limited).toBe(0);
    refresh({ ...stalled, fill: 0.9 }, 6);
    expect(shares.limited).toBe(1);
    refresh({ ...stalled, fill: 0.99 }, 7);
    expect(shares.limited).toBe(2);
    refresh({ ...stalled, fill: 1.2 }, 8);
    expect(shares.take('small', 10, 8_000)).toBe(LIMITS.retryAfterSMax);
  });

  test('end below the fill where they begin, with a goodbye or without a fresh report, and are forgotten', () => {
    const { shares, refresh } = setUp({ greedy: 5_000 });
    refresh({ ...FULL, fill: 0.72 }, 5);
    expect(shares.limited).toBe(1);
    refresh({ ...FULL, fill: 0.69 }, 6);
    expect(shares.limited).toBe(0);
    refresh({ ...FULL, fill: 0.72 }, 7);
    expect(shares.limited).toBe(0);
    refresh(FULL, 8);
    refresh(undefined, 9);
    expect([shares.limited, shares.take('greedy', 1e9, 9_000)]).toEqual([0, undefined]);
  });

  test('begin before the fill is reached where the rates lead there', () => {
    const { shares, refresh } = setUp({ greedy: 5_000 });
    refresh(undefined, 5);
    const early = { ...FULL, fill: 0.5, backlogBytes: 30_000 };
    refresh({ ...early, inflowBytesPerSecond: 3_000 }, 6);
    expect(shares.limited).toBe(0);
    refresh({ ...early, inflowBytesPerSecond: 4_000 }, 7);
    expect(shares.limited).toBe(1);
  });
});
