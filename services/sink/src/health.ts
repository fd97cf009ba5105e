import type { GroupWorkers } from '@weir/delivery';
import type { Clock } from '@weir/pipeline';
import { LIMITS } from './limits.ts';
import type { PartitionWorker } from './partition-worker.ts';

/** What readiness and liveness say: ready while it can do its work, live while it makes progress at all. */
export class Health {
  readonly #clock: Clock;
  readonly #stuckMsMax: number;
  #failingSinceMs: number | undefined;
  #failedMs = 0;

  /** @param batchAgeMsMax a record waits this long for its batch, and that is no standstill */
  constructor(clock: Clock, batchAgeMsMax: number) {
    this.#clock = clock;
    this.#stuckMsMax = LIMITS.stuckMsMax + batchAgeMsMax;
  }

  /** An insert that fails is tried again at least this often: after a longer silence nothing is being tried. */
  get insertsWork(): boolean {
    if (this.#clock.nowMs() - this.#failedMs > LIMITS.failureMsMax) this.#failingSinceMs = undefined;
    return this.#failingSinceMs === undefined;
  }

  /** What failed is another's now. */
  ownsNothing(): void {
    this.#failingSinceMs = undefined;
  }

  inserted(): void {
    this.#failingSinceMs = undefined;
  }

  /** True for the first failure after a success. */
  insertFailed(): boolean {
    const first = this.#failingSinceMs === undefined;
    this.#failedMs = this.#clock.nowMs();
    this.#failingSinceMs ??= this.#failedMs;
    return first;
  }

  readiness(partitions: GroupWorkers<PartitionWorker>): string[] {
    const reasons: string[] = [];
    if (!partitions.joined) reasons.push('the consumer group has not given out partitions');
    const since = this.insertsWork ? undefined : this.#failingSinceMs;
    if (since !== undefined && this.#clock.nowMs() - since > LIMITS.failingMsMax) {
      reasons.push('inserts into ClickHouse fail');
    }
    const now = this.#clock.nowMs();
    for (const [partition, { progress }] of partitions.workers) {
      const { insertingSinceMs, movedMs } = progress;
      if (insertingSinceMs === undefined) {
        if (now - movedMs > this.#stuckMsMax) reasons.push(`partition ${partition} does not move`);
      } else if (now - insertingSinceMs > LIMITS.insertingMsMax) {
        reasons.push(`a batch of partition ${partition} has been inserted for ${LIMITS.insertingMsMax / 1_000} s`);
      }
    }
    return reasons;
  }

  /** On signs of life, not on ClickHouse: while inserts fail a partition waits, and that is no reason to restart. */
  liveness(partitions: GroupWorkers<PartitionWorker>): string[] {
    const now = this.#clock.nowMs();
    const silent = now - partitions.aliveMs > LIMITS.silentMsMax;
    const reasons = silent ? ['the group membership gives no sign of life'] : [];
    if (!this.insertsWork) return reasons;
    for (const [partition, { progress }] of partitions.workers) {
      if (now - progress.aliveMs > LIMITS.silentMsMax) reasons.push(`partition ${partition} gives no sign of life`);
    }
    return reasons;
  }
}
