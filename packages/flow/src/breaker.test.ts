import { FakeClock } from '@weir/testkit';
import { expect, test } from 'vitest';
import { Breaker } from './breaker.ts';

const CLOSED = { state: 'closed', forMs: 0, waitMs: 0 };

test('is open from a failure until the next try, then half open, and closed by what succeeds', async () => {
  const clock = new FakeClock(5_000);
  const breaker = new Breaker(clock);
  expect(breaker.look()).toEqual(CLOSED);
  breaker.failed(0, 400);
  await clock.advance(100);
  expect(breaker.look()).toEqual({ state: 'open', forMs: 100, waitMs: 300 });
  await clock.advance(300);
  expect(breaker.look()).toEqual({ state: 'half_open', forMs: 400, waitMs: 0 });
  breaker.failed(0, 800);
  expect(breaker.look()).toEqual({ state: 'open', forMs: 400, waitMs: 800 });
  breaker.works(0);
  expect([breaker.look(), breaker.isClosed]).toEqual([CLOSED, true]);
});

test('is not closed by another partition that works, and tells of the first failure and the next try', async () => {
  const clock = new FakeClock();
  const breaker = new Breaker(clock);
  breaker.failed(1, 5_000);
  await clock.advance(1_000);
  breaker.failed(2, 1_000);
  breaker.works(3);
  expect([0, 1, 2, 3].filter((partition) => breaker.fails(partition))).toEqual([1, 2]);
  expect(breaker.look()).toEqual({ state: 'open', forMs: 1_000, waitMs: 1_000 });
  breaker.works(1);
  expect(breaker.look()).toEqual({ state: 'open', forMs: 0, waitMs: 1_000 });
  breaker.failed(1, 5_000);
  breaker.close();
  expect([breaker.look(), breaker.isClosed, breaker.fails(1)]).toEqual([CLOSED, true, false]);
});

test('closes by itself where nothing is tried any more', async () => {
  const clock = new FakeClock();
  const breaker = new Breaker(clock);
  breaker.failed(0, 400);
  await clock.advance(100_000);
  breaker.failed(1, 400);
  expect(breaker.isClosed).toBe(false);
  await clock.advance(31_000);
  expect([breaker.fails(0), breaker.fails(1), breaker.look().forMs]).toEqual([false, true, 31_000]);
  await clock.advance(100_000);
  expect([breaker.look(), breaker.isClosed]).toEqual([CLOSED, true]);
});
