import type { GroupWorkers } from '@weir/delivery';
import { FakeClock } from '@weir/testkit';
import { expect, test } from 'vitest';
import { Health } from './health.ts';
import type { PartitionWorker } from './partition-worker.ts';

const owning = { joined: true, workers: new Map() } as unknown as GroupWorkers<PartitionWorker>;

test('inserts that fail for longer than a moment make the sink not ready, but no less live; one that succeeds mends it', async () => {
  const clock = new FakeClock();
  const health = new Health(clock, 1_000);
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
  const health = new Health(clock, 1_000);
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
  const health = new Health(clock, 1_000);
  const progress = { aliveMs: 0, movedMs: 30_000, insertingSinceMs: 0 as number | undefined };
  const workers = new Map([[3, { progress }]]);
  const partitions = { joined: true, workers } as unknown as GroupWorkers<PartitionWorker>;
  await clock.advance(30_000);
  expect(health.readiness(partitions)).toEqual([]);
  await clock.advance(1);
  expect(health.readiness(partitions)).toEqual(['a batch of partition 3 has been inserted for 30 s']);
  progress.insertingSinceMs = undefined;
  expect(health.readiness(partitions)).toEqual([]);
});

test('a partition that stores nothing is not ready beyond the age of a batch, but live while its worker is begun anew', async () => {
  const clock = new FakeClock();
  const health = new Health(clock, 5_000);
  const progress = { aliveMs: 0, movedMs: 0, insertingSinceMs: undefined };
  const group = { joined: true, aliveMs: 0, workers: new Map([[3, { progress }]]) };
  const partitions = group as unknown as GroupWorkers<PartitionWorker>;
  await clock.advance(25_000);
  expect(health.readiness(partitions)).toEqual([]);
  await clock.advance(1);
  expect(health.readiness(partitions)).toEqual(['partition 3 does not move']);
  await clock.advance(300_000);
  expect(health.liveness(partitions)).toEqual([
    'the group membership gives no sign of life',
    'partition 3 gives no sign of life',
  ]);
  group.aliveMs = clock.nowMs();
  progress.aliveMs = clock.nowMs();
  expect(health.liveness(partitions)).toEqual([]);
  progress.movedMs = clock.nowMs();
  expect(health.readiness(partitions)).toEqual([]);
});
