import type { GroupWorkers } from '@weir/delivery';
import { TenantDirectory } from '@weir/tenancy';
import { FakeClock } from '@weir/testkit';
import { expect, test } from 'vitest';
import { liveness, readiness } from './health.ts';
import type { PartitionWorker } from './partition-worker.ts';

function setUp(joined = true) {
  const clock = new FakeClock();
  const progress = { aliveMs: 0, movedMs: 0 };
  const group = { joined, aliveMs: 0, workers: new Map([[2, { progress }]]) };
  const partitions = group as unknown as GroupWorkers<PartitionWorker>;
  const directory = { complete: true, size: 1 } as TenantDirectory;
  return { clock, progress, group, partitions, directory };
}

test('a partition that does not move is not ready, and is again once it moves', async () => {
  const { clock, progress, partitions, directory } = setUp();
  await clock.advance(20_000);
  expect(readiness(partitions, directory, clock)).toEqual([]);
  await clock.advance(1);
  expect(readiness(partitions, directory, clock)).toEqual(['partition 2 does not move']);
  progress.movedMs = clock.nowMs();
  expect(readiness(partitions, directory, clock)).toEqual([]);
});

test('a loop that stands still is not live, one that fails again and again is', async () => {
  const { clock, progress, group, partitions } = setUp();
  await clock.advance(300_000);
  expect(liveness(partitions, clock)).toEqual([]);
  await clock.advance(1);
  expect(liveness(partitions, clock)).toEqual([
    'partition 2 gives no sign of life',
    'the group membership gives no sign of life',
  ]);
  progress.aliveMs = clock.nowMs();
  group.aliveMs = clock.nowMs();
  expect(liveness(partitions, clock)).toEqual([]);
});

test('without its group or its tenants it is not ready', () => {
  const { clock, partitions } = setUp(false);
  expect(readiness(partitions, new TenantDirectory(''), clock)).toEqual([
    'the consumer group has not given out partitions',
    'the tenants are not known',
  ]);
});
