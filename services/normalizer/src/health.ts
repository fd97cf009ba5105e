import type { GroupWorkers } from '@weir/delivery';
import type { Clock } from '@weir/pipeline';
import type { TenantDirectory } from '@weir/tenancy';
import { LIMITS } from './limits.ts';
import type { PartitionWorker } from './partition-worker.ts';

type Workers = GroupWorkers<PartitionWorker>;

/** Why no more should be given to this normalizer. */
export function readiness(partitions: Workers, directory: TenantDirectory, clock: Clock): string[] {
  const now = clock.nowMs();
  const reasons = [...partitions.workers]
    .filter(([, { progress }]) => now - progress.movedMs > LIMITS.stuckMsMax)
    .map(([partition]) => `partition ${partition} does not move`);
  if (!partitions.joined) reasons.push('the consumer group has not given out partitions');
  if (!directory.complete && directory.size === 0) reasons.push('the tenants are not known');
  return reasons;
}

/** On signs of life: a worker that fails and is begun anew would not do better in another process. */
export function liveness(partitions: Workers, clock: Clock): string[] {
  const now = clock.nowMs();
  const reasons = [...partitions.workers]
    .filter(([, { progress }]) => now - progress.aliveMs > LIMITS.silentMsMax)
    .map(([partition]) => `partition ${partition} gives no sign of life`);
  if (now - partitions.aliveMs > LIMITS.silentMsMax) reasons.push('the group membership gives no sign of life');
  return reasons;
}
