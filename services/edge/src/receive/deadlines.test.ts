import { FakeClock } from '@weir/testkit';
import { expect, test } from 'vitest';
import { Deadlines } from './deadlines.ts';

function setUp() {
  const clock = new FakeClock();
  const acted: string[] = [];
  const deadlines = new Deadlines(clock, 100);
  return { clock, acted, deadlines, set: (name: string) => deadlines.set(() => acted.push(name)) };
}

test('each acts at its own time, on one sleeper', async () => {
  const { clock, acted, set } = setUp();
  set('a');
  await clock.advance(40);
  set('b');
  expect(clock.sleeping).toBe(1);
  await clock.advance(59);
  expect(acted).toEqual([]);
  await clock.advance(1);
  expect(acted).toEqual(['a']);
  await clock.advance(39);
  expect(acted).toEqual(['a']);
  await clock.advance(1);
  expect(acted).toEqual(['a', 'b']);
});

test('what is cancelled does not act, and the next one is not late for it', async () => {
  const { clock, acted, deadlines, set } = setUp();
  const cancel = set('a');
  await clock.advance(10);
  set('b');
  cancel();
  cancel();
  expect(deadlines.size).toBe(1);
  await clock.advance(100);
  expect(acted).toEqual(['b']);
});

test('one that is set after all others have ended acts as well', async () => {
  const { clock, acted, set } = setUp();
  set('a')();
  await clock.advance(50);
  set('b');
  await clock.advance(99);
  expect(acted).toEqual([]);
  await clock.advance(1);
  expect(acted).toEqual(['b']);
  await clock.advance(500);
  set('c');
  await clock.advance(100);
  expect(acted).toEqual(['b', 'c']);
});

test('after a stop nothing acts and nothing sleeps', async () => {
  const { clock, acted, deadlines, set } = setUp();
  set('a');
  deadlines.stop();
  await clock.advance(200);
  expect([acted, clock.sleeping]).toEqual([[], 0]);
});

test('a process that stood still gives all their time once more', async () => {
  let now = 0;
  const wakes: (() => void)[] = [];
  const sleep = () => new Promise<void>((resolve) => wakes.push(resolve));
  const deadlines = new Deadlines({ nowMs: () => now, wallNs: () => 0n, sleep }, 100);
  const acted: string[] = [];
  deadlines.set(() => acted.push('a'));
  deadlines.set(() => acted.push('b'));
  now = 15_000;
  wakes.shift()?.();
  await new Promise((resolve) => setImmediate(resolve));
  expect([acted, deadlines.size]).toEqual([[], 2]);
  now = 15_100;
  wakes.shift()?.();
  await new Promise((resolve) => setImmediate(resolve));
  expect([acted, deadlines.size]).toEqual([['a', 'b'], 0]);
});
