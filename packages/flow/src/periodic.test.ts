import { FakeClock } from '@weir/testkit';
import { expect, test } from 'vitest';
import { createPeriodic } from './periodic.ts';

const NEVER = new AbortController().signal;

test('it looks at once and at even times, tells faults, and stops within a look', async () => {
  const clock = new FakeClock(0);
  const said: string[] = [];
  let looks = 0;
  const periodic = createPeriodic({
    name: 'watch',
    clock,
    everyMs: 100,
    look: async (signal) => {
      looks++;
      if (looks === 2) throw new Error('no answer');
      if (looks === 4) {
        await new Promise<void>((_, reject) => {
          signal.addEventListener('abort', () => reject(new Error('stopped')), { once: true });
        });
      }
    },
    onFault: (error) => said.push(String(error)),
  });
  await periodic.start(NEVER);
  expect(looks).toBe(1);
  for (const wanted of [2, 3, 4]) {
    await clock.advance(99);
    expect(looks).toBe(wanted - 1);
    await clock.advance(1);
    expect(looks).toBe(wanted);
  }
  await periodic.stop(NEVER);
  expect([looks, said]).toEqual([4, ['Error: no answer']]);
});
