import type { Log } from '@weir/delivery';
import { FakeClock } from '@weir/testkit';
import { expect, test } from 'vitest';
import { KafkaCheck, readiness } from './health.ts';
import { LIMITS } from './limits.ts';

async function setUp(answers: (partition: number) => boolean) {
  const clock = new FakeClock();
  const log: Pick<Log, 'bounds'> = {
    bounds: async (_topic, partition) => {
      if (!answers(partition)) throw new Error('no leader');
      return { start: 0, end: 1 };
    },
  };
  const check = new KafkaCheck(log as Log, 't', clock, () => 4);
  await check.start();
  await clock.advance(0);
  return { check, clock };
}

test('an edge is ready while any partition answers', async () => {
  let up = new Set([2]);
  const { check, clock } = await setUp((partition) => up.has(partition));
  expect(check.answers).toBe(true);
  up = new Set([0]);
  await clock.advance(2 * LIMITS.kafkaSilentMsMax);
  expect(check.answers).toBe(true);
  up = new Set();
  await clock.advance(LIMITS.kafkaSilentMsMax + LIMITS.kafkaCheckMs);
  expect(check.answers).toBe(false);
  await check.stop();
});

test('an edge is ready while it may write to any partition', () => {
  const directory = { complete: false, size: 1 };
  const reasons = (lostEnds: number, partitions = 2) =>
    readiness({ answers: true }, { partitions, lostEnds }, directory);
  expect([reasons(0), reasons(1), reasons(0, 0)]).toEqual([[], [], []]);
  expect(reasons(2)).toEqual(['Kafka has lost the end of every raw log']);
  expect(readiness({ answers: false }, { partitions: 0, lostEnds: 0 }, { complete: false, size: 0 })).toEqual([
    'Kafka does not answer',
    'the tenants are not known',
  ]);
});
