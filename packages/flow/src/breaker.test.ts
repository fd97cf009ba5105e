import { FakeClock } from '@weir/testkit';
import { expect, test } from 'vitest';
import { Breaker } from './breaker.ts';

const CLOSED = { state: 'closed', forMs: 0, waitMs: 0 };

test('is open from a failure until the next try, then half open, and closed by what succeeds', async () => {
  const clock = new FakeClock(5_000);
  const breaker = new Breaker(clock);
  expect(breaker.look()).toEqual(CLOSED);
  breaker.failed(400);
  await clock.advance(100);
  expect(breaker.look()).toEqual({ state: 'open', forMs: 100, waitMs: 300 });
  await clock.advance(300);
  expect(breaker.look()).toEqual({ state: 'half_open', forMs: 400, waitMs: 0 });
  breaker.failed(800);
  expect(breaker.look()).toEqual({ state: 'open', forMs: 400, waitMs: 800 });
  breaker.close();
  expect([breaker.look(), breaker.isClosed]).toEqual([CLOSED, true]);
});

test('closes by itself where nothing is tried any more', async () => {
  const clock = new FakeClock();
  const breaker = new Breaker(clock);
  breaker.failed(400);
  await clock.advance(100_000);
  expect(breaker.isClosed).toBe(false);
  await clock.advance(31_000);
  expect([breaker.look(), breaker.isClosed]).toEqual([CLOSED, true]);
});
