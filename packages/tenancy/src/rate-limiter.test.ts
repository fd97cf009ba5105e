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

  test('gives its share of a limit, and what it refuses names the whole limit', async () => {
    const clock = new FakeClock();
    const limiter = new RateLimiter(clock);
    const tenant = tenantWith('a', 100, 200);
    const share = { items: 0.25, bytes: 1 };
    expect(limiter.tryTake(tenant, 50, 1, 1, share)).toBeUndefined();
    const over = limiter.tryTake(tenant, 25, 1, 1, share);
    expect(over).toMatchObject({ limit: { perSecond: 100, burst: 200 }, retryAfterS: 1 });
    await clock.advance(1_000);
    expect(limiter.tryTake(tenant, 25, 1, 1, share)).toBeUndefined();
    await clock.advance(2_000);
    // A share that has become smaller holds at once.
    expect(limiter.tryTake(tenant, 30, 1, 1, { items: 0.1, bytes: 1 })).toBeUndefined();
    expect(limiter.tryTake(tenant, 1, 1, 1, { items: 0.1, bytes: 1 })).toMatchObject({ what: 'items' });
  });

  test('forgets the tenant that has not come the longest, and not one that always comes', () => {
    const limiter = new RateLimiter(new FakeClock());
    const busy = tenantWith('busy', 10, 10);
    expect(limiter.tryTake(busy, 10, 1)).toBeUndefined();
    for (let i = 0; i < 100_000; i++) {
      limiter.tryTake(tenantWith(`t${i}`, 10, 10), 1, 1);
      if (i % 1_000 === 0) expect(limiter.tryTake(busy, 1, 1)).toBeDefined();
    }
  });
});

describe('an export of a tenant that is far over its rate', () => {
  /** A tenant at ten times its rate of 100 items a second, with exports of 10 items, 100 bytes as they come. */
  async function farOver() {
    const clock = new FakeClock();
    const limiter = new RateLimiter(clock);
    const tenant = tenantWith('a', 100, 100);
    const send = async () => {
      await clock.advance(10);
      const unread = limiter.overUnread(tenant, 100);
      return unread ?? limiter.tryTake(tenant, 10, 1_000, 100);
    };
    for (let i = 0; i < 500; i++) await send();
    return { clock, limiter, tenant, send };
  }

  test('need not be read while the bucket has less than its smallest recent one, and the rate is used up all the same', async () => {
    const { send } = await farOver();
    let [taken, unread] = [0, 0];
    for (let i = 0; i < 1_000; i++) {
      const over = await send();
      if (over === undefined) taken++;
      else if ('bytes' in over) unread++;
    }
    expect(taken).toBeGreaterThanOrEqual(99);
    expect(taken).toBeLessThanOrEqual(101);
    expect(unread).toBe(1_000 - taken);
  });

  test('is guessed at by the look of the others, so that the demand stays what it is', async () => {
    const { limiter, tenant } = await farOver();
    const over = limiter.overUnread(tenant, 200);
    expect(over).toMatchObject({ what: 'items', limit: { perSecond: 100 } });
    expect(over?.items).toBeCloseTo(20, 6);
    expect(over?.bytes).toBeCloseTo(2_000, 3);
    expect(over?.retryAfterS).toBeLessThanOrEqual(0.1);
  });

  test('need not be read where it also sends some without items, which its debt of items does not refuse', async () => {
    const { limiter, tenant } = await farOver();
    expect(limiter.tryTake(tenant, 0, 100)).toBeUndefined();
    expect(limiter.overUnread(tenant, 100)).toMatchObject({ what: 'items' });
    limiter.giveBack(tenant, -1_000, 0);
    expect(limiter.tryTake(tenant, 0, 100)).toBeUndefined();
    expect(limiter.tryTake(tenant, 1, 100)).toMatchObject({ what: 'items' });
  });

  test('is read where its body is smaller than any recent one, since it may fit', async () => {
    const { limiter, tenant } = await farOver();
    expect(limiter.overUnread(tenant, 99)).toBeUndefined();
    expect(limiter.overUnread(tenant, 100)).toBeDefined();
  });

  test('need not be read, however small its body is, where no byte is left', async () => {
    const { limiter, tenant } = await farOver();
    const { perSecond } = tenant.limits.bytes;
    limiter.tryTake(tenant, 0, 20 * perSecond, 100);
    limiter.giveBack(tenant, 0, -20 * perSecond);
    expect(limiter.overUnread(tenant, 99)).toMatchObject({ what: 'bytes' });
    expect(limiter.overUnread(tenant, 1)).toMatchObject({ what: 'bytes' });
    expect(limiter.overUnread(tenant, 0)).toBeUndefined();
  });

  test('is read again after a pause, and so are all of a tenant that is only a little over its rate', async () => {
    const { clock, limiter, tenant } = await farOver();
    await clock.advance(11_000);
    expect(limiter.overUnread(tenant, 100)).toBeUndefined();
    const other = tenantWith('b', 100, 100);
    for (let i = 0; i < 500; i++) {
      await clock.advance(60);
      expect(limiter.overUnread(other, 100)).toBeUndefined();
      limiter.tryTake(other, 10, 1_000, 100);
    }
  });
});
