import { describe, expect, test } from 'vitest';
import { BUILT_IN_LIMITS, durationNs, limitOf, limitOverrides, mergeLimits } from './limits.ts';
import { effectiveTenant } from './tenant.ts';

describe('mergeLimits', () => {
  test('overrides only what a layer names, deeply', () => {
    const merged = mergeLimits(BUILT_IN_LIMITS, { items: { perSecond: 10 } }, { items: { burst: 50 }, weight: 2 });
    expect(merged).toEqual({ ...BUILT_IN_LIMITS, items: { perSecond: 10, burst: 50 }, weight: 2 });
  });

  test('allows three seconds at once where a rate names no burst, and never less than a second', () => {
    expect(mergeLimits(BUILT_IN_LIMITS, { items: { perSecond: 10 } }).items).toEqual({ perSecond: 10, burst: 30 });
    const small = mergeLimits(BUILT_IN_LIMITS, { items: { perSecond: 10, burst: 1 } });
    expect(small.items).toEqual({ perSecond: 10, burst: 10 });
  });

  test('a tenant without conventions of its own has those of the defaults', () => {
    const conventions = { upgradeTo: '1.44.0', assume: '1.20.0' } as const;
    expect(mergeLimits(BUILT_IN_LIMITS, { conventions }, { weight: 2 }).conventions).toEqual(conventions);
    expect(limitOverrides.safeParse({ conventions }).success).toBe(true);
    expect(limitOverrides.safeParse({ conventions: { upgradeTo: '1.43.0' } }).success).toBe(false);
    expect(limitOverrides.safeParse({ conventions: { upgradeTo: '1.44.0', assume: '0.1.0' } }).success).toBe(false);
  });

  test('overrides one of several limits of a kind, and switches one off', () => {
    const merged = mergeLimits(
      BUILT_IN_LIMITS,
      { attributes: { keyBytes: 5 }, timeWindow: { past: '7d', future: '10m' }, activeSeries: 7, bodyBytes: 8 },
      { attributes: { perItem: 6 }, timeWindow: { future: 'none' }, activeSeries: 'none' },
    );
    expect(merged.attributes).toEqual({ ...BUILT_IN_LIMITS.attributes, keyBytes: 5, perItem: 6 });
    expect(merged.timeWindow).toEqual({ past: '7d', future: 'none' });
    expect([merged.activeSeries, merged.bodyBytes, merged.requestBytes]).toEqual(['none', 8, 'none']);
    expect([limitOf(merged.bodyBytes), limitOf(merged.requestBytes)]).toEqual([8, Number.POSITIVE_INFINITY]);
    const { windowNs } = effectiveTenant('a', { keys: [], limits: { timeWindow: { past: '1h' } } }, undefined);
    expect(windowNs).toEqual({ past: 3.6e12, future: Number.POSITIVE_INFINITY });
  });

  test('partitions are left open where no layer names them', () => {
    expect(mergeLimits(BUILT_IN_LIMITS, { weight: 2 }).partitions).toBeUndefined();
    expect(mergeLimits(BUILT_IN_LIMITS, { partitions: 3 }, { weight: 2 }).partitions).toBe(3);
  });

  test('without layers is the base', () => {
    expect(mergeLimits(BUILT_IN_LIMITS, undefined)).toEqual(BUILT_IN_LIMITS);
  });
});

describe('limits as written', () => {
  test.each([
    ['250ns', 250],
    ['1.5us', 1_500],
    ['500ms', 5e8],
    ['2s', 2e9],
    ['1m', 6e10],
    ['2h', 7.2e12],
    ['7d', 6.048e14],
  ])('%s is %d ns', (text, ns) => expect(durationNs(text)).toBe(ns));

  test.each([
    { slowThreshold: '1 hour' },
    { retentionDays: 0 },
    { retentionDays: 36_501 },
    { retentionDays: 1.5 },
    { items: { perSecond: 0 } },
    { items: { perSecond: Number.POSITIVE_INFINITY } },
    { weight: -1 },
    { weight: 0.0009 },
    { weight: 1_001 },
    { partitions: 0 },
    { partitions: 1.5 },
    { partitions: 10_001 },
    { itmes: { perSecond: 1 } },
    { attributes: { perItem: 0 } },
    { attributes: { keyBytes: 'none' } },
    { attributes: { valueBytes: 1.5 } },
    { timeWindow: { past: 'always' } },
    { timeWindow: { until: '1h' } },
    { bodyBytes: 0 },
    { requestBytes: -1 },
    { activeSeries: 0 },
    { activeSeries: 1e9 },
  ])('%j is refused', (limits) => expect(limitOverrides.safeParse(limits).success).toBe(false));
});
