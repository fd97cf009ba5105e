import type { GroupWorkers } from '@weir/delivery';
import type { Clock } from '@weir/pipeline';
import type { TenantDirectory } from '@weir/tenancy';
import { LIMITS } from './limits.ts';
import type { PartitionWorker } from './partition-worker.ts';

type Workers = GroupWorkers<PartitionWorker>;

/** Partitions that have records to do and did none for `ms`. */
function stuck(partitions: Workers, clock: Clock, ms: number): number[] {
  const now = clock.nowMs();
  return [...partitions.workers]
    .filter(([, { progress }]) => now - progress.movedMs > ms)
    .map(([partition]) => partition);
}

/** Why no more should be given to this normalizer. */
export function readiness(partitions: Workers, directory: TenantDirectory, clock: Clock): string[] {
  const reasons = stuck(partitions, clock, LIMITS.stuckMsMax).map(
    (partition) => `partition ${partition} does not move`,
  );
  if (!partitions.joined) reasons.push('the consumer group has not given out partitions');
  if (!directory.complete && directory.size === 0) reasons.push('the tenants are not known');
  return reasons;
}

/** On progress: an outage of Kafka is long before it makes a restart worth trying. */
export function liveness(partitions: Workers, clock: Clock): string[] {
  return stuck(partitions, clock, LIMITS.silentMsMax).map((partition) => `partition ${partition} does not move`);
}
