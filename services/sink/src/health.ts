import type { GroupWorkers } from '@weir/delivery';
import type { Clock } from '@weir/pipeline';
import { LIMITS } from './limits.ts';
import type { PartitionWorker } from './partition-worker.ts';

/** What readiness and liveness say: ready while it can do its work, live while it makes progress at all. */
export class Health {
  readonly #clock: Clock;
  #failingSinceMs: number | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get insertsWork(): boolean {
    return this.#failingSinceMs === undefined;
  }

  inserted(): void {
    this.#failingSinceMs = undefined;
  }

  /** True for the first failure after a success. */
  insertFailed(): boolean {
    const first = this.#failingSinceMs === undefined;
    this.#failingSinceMs ??= this.#clock.nowMs();
    return first;
  }

  readiness(partitions: GroupWorkers<PartitionWorker>): string[] {
    const reasons: string[] = [];
    if (!partitions.joined) reasons.push('the consumer group has not given out partitions');
    const since = this.#failingSinceMs;
    if (since !== undefined && this.#clock.nowMs() - since > LIMITS.failingMsMax) {
      reasons.push('inserts into ClickHouse fail');
    }
    return reasons;
  }

  /** On progress, not on ClickHouse: while inserts fail a partition waits, and that is no reason to restart. */
  liveness(partitions: GroupWorkers<PartitionWorker>): string[] {
    if (!this.insertsWork) return [];
    const now = this.#clock.nowMs();
    return [...partitions.workers]
      .filter(([, { progress }]) => now - progress.aliveMs > LIMITS.silentMsMax)
      .map(([partition]) => `partition ${partition} makes no progress`);
  }
}
