import type { DemandReport } from '@weir/records';
import { effectiveTenant, type Tenant, WHOLE } from '@weir/tenancy';
import { describe, expect, test } from 'vitest';
import { LIMITS } from '../limits.ts';
import { LiveEdges } from './live-edges.ts';
import { SharedLimits } from './shared-limits.ts';

const NONE = { offeredItems: 0, offeredBytes: 0, acceptedBytes: 0 };

function report(edge: string, offeredItems = 0, fields: Partial<DemandReport> = {}): DemandReport {
  const tenants = offeredItems === 0 ? [] : [{ tenant: 'acme', offeredItems, offeredBytes: 1, acceptedBytes: 1 }];
  return { edge, track: 'v1', tenants, rest: NONE, leaving: false, atMs: 0, ...fields };
}

const acme = (scope: 'global' | 'local' = 'global') =>
  effectiveTenant('acme', { keys: [], limits: { scope, items: { perSecond: 100 } } }, undefined);

/** Edge `a`, told every second what `a` wants and what those in `others` want. */
function setUp(tenant: Tenant = acme()) {
  const live = new LiveEdges('a');
  const limits = new SharedLimits('a', (name) => (name === 'acme' ? tenant : undefined));
  const others = new Map<string, number>();
  const state = { nowMs: 1_000, wants: 0, isHeard: true };
  const pass = (seconds: number) => {
    for (let i = 0; i < seconds; i++) {
      state.nowMs += 1_000;
      if (state.isHeard) {
        for (const [edge, wanted] of others) live.take(report(edge, wanted), state.nowMs - 300);
        live.take(report('a', state.wants), state.nowMs - 200);
      }
      limits.refresh(live, state.nowMs);
    }
    return limits.of(tenant).items;
  };
  return { live, limits, others, state, pass };
}

describe('the share of a limit', () => {
  test('of an edge that knows of no others is the whole limit', () => {
    const { limits, pass, state } = setUp();
    expect(limits.of(acme())).toBe(WHOLE);
    state.wants = 500;
    expect(pass(3)).toBe(1);
  });

  test('follows what is wanted where, and is equal where nothing is wanted', () => {
    const { others, pass, state } = setUp();
    others.set('b', 0);
    expect(pass(1)).toBe(0.5);
    others.set('b', 900);
    state.wants = 8;
    expect(pass(1)).toBeCloseTo(0.1, 6);
    state.wants = 900;
    expect(pass(1)).toBeCloseTo(0.5, 6);
  });

  test('of a tenant whose limits are local is the whole limit at each edge', () => {
    const tenant = acme('local');
    const { others, pass, state } = setUp(tenant);
    others.set('b', 900);
    state.wants = 900;
    expect(pass(2)).toBe(1);
  });

  test('of an edge that falls silent, or says goodbye, goes to the others', () => {
    const { live, limits, others, pass, state } = setUp();
    others.set('b', 900).set('c', 900);
    state.wants = 900;
    expect(pass(2)).toBeCloseTo(1 / 3, 6);
    others.delete('b');
    expect(pass(LIMITS.edgeSilentMs / 1_000 - 1)).toBeCloseTo(1 / 3, 6);
    expect(pass(2)).toBeCloseTo(1 / 2, 6);
    others.delete('c');
    live.take(report('c', 0, { leaving: true }), state.nowMs);
    limits.refresh(live, state.nowMs);
    expect(limits.of(acme()).items).toBe(1);
  });

  test('stays as it was for a while when nothing is heard any more, is then an equal part, and comes back', () => {
    const { live, others, pass, state } = setUp();
    others.set('b', 900);
    state.wants = 8;
    expect(pass(2)).toBeCloseTo(0.1, 6);
    state.isHeard = false;
    expect(pass((LIMITS.edgeSilentMs + LIMITS.sharesHoldMs) / 1_000 - 1)).toBeCloseTo(0.1, 6);
    expect(pass(2)).toBe(0.5);
    expect(pass(3_600)).toBe(0.5);
    expect(live.count(state.nowMs)).toBe(2);
    // Ourselves first, and the other a second later.
    live.take(report('a', 8), state.nowMs);
    expect(live.count(state.nowMs)).toBe(2);
    state.isHeard = true;
    expect(pass(1)).toBeCloseTo(0.1, 6);
  });

  test('of an edge that does not hear itself yet is an equal part with those that it hears', () => {
    const { live, limits, state } = setUp();
    live.take(report('b', 900), state.nowMs);
    limits.refresh(live, state.nowMs);
    expect(limits.of(acme()).items).toBe(0.5);
  });
});

test('endless edges leave a bounded memory behind, and this one is always among them', () => {
  const live = new LiveEdges('a');
  for (let i = 0; i < 2 * LIMITS.edgesMax; i++) live.take(report(`edge-${i}`), 0);
  live.take(report('a'), 0);
  expect(live.reports(0).length).toBe(LIMITS.edgesMax + 1);
  expect(live.reports(0).at(-1)?.edge).toBe('a');
});
