import { FakeClock } from '@weir/testkit';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { RateLimiter } from './rate-limiter.ts';
import { effectiveTenant, type Tenant } from './tenant.ts';

function tenantWith(name: string, perSecond: number, burst: number): Tenant {
  const limits = { items: { perSecond, burst }, bytes: { perSecond: 1e9, burst: 1e9 } };
  return effectiveTenant(name, { keys: [], limits }, undefined);
}

describe('the rate limiter', () => {
  test('takes no more than the burst and the rate allow, and wastes none of it, however the exports come', async () => {
    const step = fc.record({ waitMs: fc.nat(500), items: fc.integer({ min: 1, max: 40 }) });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
        const clock = new FakeClock();
        const limiter = new RateLimiter(clock);
        const tenant = tenantWith('a', 100, 200);
        let taken = 0;
        let elapsedMs = 0;
        for (const { waitMs, items } of steps) {
          await clock.advance(waitMs);
          elapsedMs += waitMs;
          const over = limiter.tryTake(tenant, items, 1);
          if (over === undefined) taken += items;
          else expect(over.retryAfterS).toBeGreaterThan(0);
          expect(taken).toBeLessThanOrEqual(200 + elapsedMs / 10 + 1e-6);
        }
      }),
    );
  });

  test('lets an export pass once the time it named is over', async () => {
    const clock = new FakeClock();
    const limiter = new RateLimiter(clock);
    const tenant = tenantWith('a', 10, 20);
    expect(limiter.tryTake(tenant, 20, 1)).toBeUndefined();
    const over = limiter.tryTake(tenant, 15, 1);
    expect(over).toMatchObject({ what: 'items', limit: { perSecond: 10, burst: 20 }, retryAfterS: 1.5 });
    await clock.advance(1_499);
    expect(limiter.tryTake(tenant, 15, 1)).toBeDefined();
    await clock.advance(1);
    expect(limiter.tryTake(tenant, 15, 1)).toBeUndefined();
  });

  test('lets an export above the burst pass when the bucket is full, and then makes up for it', async () => {
    const clock = new FakeClock();
    const limiter = new RateLimiter(clock);
    const tenant = tenantWith('a', 10, 20);
    expect(limiter.tryTake(tenant, 120, 1)).toBeUndefined();
    await clock.advance(10_000);
    expect(limiter.tryTake(tenant, 1, 1)).toBeDefined();
    await clock.advance(1_000);
    expect(limiter.tryTake(tenant, 1, 1)).toBeUndefined();
  });

  test('keeps tenants apart', () => {
    const limiter = new RateLimiter(new FakeClock());
    expect(limiter.tryTake(tenantWith('a', 10, 10), 10, 1)).toBeUndefined();
    expect(limiter.tryTake(tenantWith('a', 10, 10), 1, 1)).toBeDefined();
    expect(limiter.tryTake(tenantWith('b', 10, 10), 10, 1)).toBeUndefined();
  });

  test('gives back what a refused export took, and takes nothing for one that is over', () => {
    const limiter = new RateLimiter(new FakeClock());
    const tenant = tenantWith('a', 10, 10);
    expect(limiter.tryTake(tenant, 10, 1)).toBeUndefined();
    limiter.giveBack(tenant, 10, 1);
    expect(limiter.tryTake(tenant, 10, 2e9)).toBeUndefined();
    limiter.giveBack(tenant, 10, 0);
    expect(limiter.tryTake(tenant, 10, 1)?.what).toBe('bytes');
    expect(limiter.tryTake(tenant, 10, 0)).toBeDefined();
  });

  test('follows a changed limit from the next export on', () => {
    const limiter = new RateLimiter(new FakeClock());
    expect(limiter.tryTake(tenantWith('a', 100, 100), 50, 1)).toBeUndefined();
    expect(limiter.tryTake(tenantWith('a', 10, 10), 11, 1)).toBeUndefined();
    expect(limiter.tryTake(tenantWith('a', 10, 10), 1, 1)).toBeDefined();
  });
});
