import type { GroupWorkers } from '@weir/delivery';
import { FakeClock } from '@weir/testkit';
import { expect, test } from 'vitest';
import { Health } from './health.ts';
import type { PartitionWorker } from './partition-worker.ts';

const owning = { joined: true, workers: new Map() } as unknown as GroupWorkers<PartitionWorker>;

test('inserts that fail for longer than a moment make the sink not ready, but no less live; one that succeeds mends it', async () => {
  const clock = new FakeClock();
  const health = new Health(clock);
  health.insertFailed();
  expect(health.readiness(owning)).toEqual([]);
  await clock.advance(16_000);
  health.insertFailed();
  expect(health.readiness(owning)).toEqual(['inserts into ClickHouse fail']);
  expect(health.liveness(owning)).toEqual([]);
  health.inserted();
  expect(health.readiness(owning)).toEqual([]);
});

test('a sink whose failing partition has gone elsewhere is ready, and so is one that tries nothing any more', async () => {
  const clock = new FakeClock();
  const health = new Health(clock);
  health.insertFailed();
  await clock.advance(16_000);
  health.insertFailed();
  health.ownsNothing();
  expect(health.readiness(owning)).toEqual([]);
  health.insertFailed();
  await clock.advance(131_000);
  expect(health.readiness(owning)).toEqual([]);
});

test('a batch whose insert hangs makes the sink not ready, though nothing has failed', async () => {
  const clock = new FakeClock();
  const health = new Health(clock);
  const progress = { aliveMs: 0, insertingSinceMs: 0 as number | undefined };
  const workers = new Map([[3, { progress }]]);
  const partitions = { joined: true, workers } as unknown as GroupWorkers<PartitionWorker>;
  await clock.advance(30_000);
  expect(health.readiness(partitions)).toEqual([]);
  await clock.advance(1);
  expect(health.readiness(partitions)).toEqual(['a batch of partition 3 has been inserted for 30 s']);
  progress.insertingSinceMs = undefined;
  expect(health.readiness(partitions)).toEqual([]);
});
