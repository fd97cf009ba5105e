import { DependencyError, heardClock } from '@weir/pipeline';
import { FakeClock } from '@weir/testkit';
import { expect, test } from 'vitest';
import type { Log } from './log.ts';
import { takeOver } from './take-over.ts';

test('a take-over that fails again and again gives signs of life, and ends with its session', async () => {
  const clock = new FakeClock();
  let aliveMs = -1;
  const heard = heardClock(clock, () => {
    aliveMs = clock.nowMs();
  });
  const bounds: Log['bounds'] = async () => {
    throw new DependencyError('kafka', 'unavailable', 'no leader', { retryable: true });
  };
  const session = new AbortController();
  const rows = { log: { bounds } as Partial<Log> as Log, clock: heard, topic: 't', partition: 0 };
  const taken = takeOver(rows, '0'.repeat(16), null, session.signal);
  const ended = expect(taken).rejects.toThrow('over');
  for (let i = 0; i < 301; i++) await clock.advance(1_000);
  expect(clock.nowMs() - aliveMs).toBeLessThan(1_000);
  session.abort(new Error('over'));
  await clock.advance(1_000);
  await ended;
});
