import { CUT_PARTITIONS_MAX, CutLedger, type Membership, type ProgressLog, REVISIONS } from '@weir/delivery';
import { type Clock, DependencyError, heardClock, invariant } from '@weir/pipeline';
import type { PartitionBuffer, Room } from './batch/partition-buffer.ts';
import type { Batch, BatchCut } from './batches.ts';
import type { BatchInserter } from './insert/batch-inserter.ts';

/** What a cutter needs of the world. */
export interface CutterParts {
  readonly membership: Membership;
  readonly progress: ProgressLog;
  readonly inserter: Pick<BatchInserter, 'insert' | 'paysApart'>;
  readonly clock: Clock;
  /** What goes in together, of all partitions. */
  readonly room: Room;
  /** How long a partition waits for a cut under way to end before one begins beside it. */
  readonly lateMsMax: number;
  /** Called with each cut once it is in ClickHouse and committed. */
  readonly onStored: (cut: BatchCut) => void;
}

/** A partition whose batches are to be stored. */
export interface Contributor {
  readonly partition: number;
  readonly buffer: PartitionBuffer;
  /** What all sinks of the group understand. */
  readonly revision: number;
  /** A sign of life of what is done with its batch. */
  heard(): void;
  /** A batch of its is cut, and is to be recorded. */
  taken(batch: Batch): void;
  /** Its batch is being inserted from now on, until it is stored. */
  inserting(): void;
  stored(batch: Batch): void;
  /** Waits until it is woken, or for `ms` at most. */
  pause(ms: number): Promise<void>;
  /** Something has changed: its buffer has room again, or there is something to do. */
  wake(): void;
}

/** Cuts that follow each other, of partitions that come and go. */
interface Run {
  readonly failing: AbortController;
  readonly members: Set<Member>;
  done: Promise<void>;
}

interface Member {
  readonly of: Contributor;
  readonly draining: AbortSignal;
  run: Run | undefined;
  /** Why the run failed that it was in. */
  failure: unknown;
}

/**
 * Stores the batches of all partitions of a sink: what is due is cut together with what else is there, as ClickHouse does better
 * with few and large inserts. A partition is in one cut at a time; while that is inserted its next batch fills. A further cut
 * begins beside only for a partition that is full or has waited for long.
 */
export class Cutter {
  readonly #parts: CutterParts;
  readonly #members = new Set<Member>();
  readonly #runs = new Set<Run>();

  constructor(parts: CutterParts) {
    this.#parts = parts;
  }

  /**
   * Stores what comes into a partition's buffer until the signal aborts or, once `draining` aborts, the buffer is empty. What fails in
   * a cut fails for all partitions of it: each is to be taken up anew by what has been recorded.
   */
  async store(contributor: Contributor, signal: AbortSignal, draining: AbortSignal): Promise<void> {
    const member: Member = { of: contributor, draining, run: undefined, failure: undefined };
    this.#members.add(member);
    // At once: what is begun after it would be another owner's to do. The others of the cut are to be taken up anew.
    const fail = () => member.run?.failing.abort(partitionFailed());
    signal.addEventListener('abort', fail);
    try {
      for (;;) {
        signal.throwIfAborted();
        if (member.failure !== undefined) throw member.failure;
        if (member.run === undefined && draining.aborted && contributor.buffer.isEmpty) return;
        const waitMs = this.#waitMs(member);
        if (waitMs <= 0) this.#begin(member);
        else await contributor.pause(waitMs);
      }
    } finally {
      signal.removeEventListener('abort', fail);
      this.#members.delete(member);
      const { run } = member;
      fail();
      // Whoever takes the partition up again must be alone with its cut.
      await run?.done;
    }
  }

  /**
   * Stores a recorded cut again, exactly as it was recorded: what is in ClickHouse already is dropped there.
   *
   * @param isStored it is known to be there, and only to be settled
   * @param heard a sign of life of it
   */
  async repeat(cut: BatchCut, isStored: boolean, heard: () => void, signal: AbortSignal): Promise<void> {
    const { inserter, onStored } = this.#parts;
    const ledger = this.#ledger(heard);
    await ledger.record(cut, signal);
    if (!isStored) await inserter.insert(cut, ledger, signal);
    await ledger.settle(cut, null, signal);
    onStored(cut);
  }

  #ledger(heard: () => void): CutLedger {
    const { membership, clock, progress } = this.#parts;
    return new CutLedger(membership, heardClock(clock, heard), progress);
  }

  /** How long there is nothing to do for a member; what changes that wakes it. */
  #waitMs(member: Member): number {
    if (member.run !== undefined) return Number.POSITIVE_INFINITY;
    const dueMs = this.#dueInMs(member);
    const isAlone = this.#runs.size === 0 || !goesWithOthers(member);
    if (dueMs > 0 || isAlone || member.of.buffer.isFull) return dueMs;
    return dueMs + this.#parts.lateMsMax;
  }

  #dueInMs({ of: { buffer }, draining }: Member): number {
    const dueMs = buffer.dueInMs(this.#parts.clock.nowMs());
    return draining.aborted && !buffer.isEmpty ? Math.min(0, dueMs) : dueMs;
  }

  #begin(member: Member): void {
    const run: Run = { failing: new AbortController(), members: new Set(), done: Promise.resolve() };
    this.#runs.add(run);
    const first = this.#cut(run, member);
    run.done = this.#run(run, first).finally(() => {
      this.#runs.delete(run);
      for (const { of } of this.#members) of.wake();
    });
  }

  async #run(run: Run, first: BatchCut): Promise<void> {
    const { inserter, onStored } = this.#parts;
    const { signal } = run.failing;
    const ledger = this.#ledger(() => {
      for (const { of } of run.members) of.heard();
    });
    try {
      await ledger.record(first, signal);
      for (let cut: BatchCut | undefined = first; cut !== undefined; ) {
        const contributors = new Map([...run.members].map(({ of }) => [of.partition, of]));
        for (const batch of cut.ranges) contributors.get(batch.partition)?.inserting();
        await inserter.insert(cut, ledger, signal);
        // The next cut rides on this commit where a batch is due already.
        const next = this.#next(run);
        await ledger.settle(cut, next ?? null, signal);
        for (const batch of cut.ranges) contributors.get(batch.partition)?.stored(batch);
        onStored(cut);
        this.#release(run, next);
        cut = next;
      }
    } catch (error) {
      for (const member of run.members) {
        member.failure = error;
        member.run = undefined;
        member.of.wake();
      }
    }
  }

  /** Lets go of the members that the next cut has nothing of. */
  #release(run: Run, next: BatchCut | undefined): void {
    const goOn = new Set(next?.ranges.map(({ partition }) => partition));
    for (const member of run.members) {
      if (!goOn.has(member.of.partition)) {
        run.members.delete(member);
        member.run = undefined;
      }
      member.of.wake();
    }
  }

  #next(run: Run): BatchCut | undefined {
    const due = this.#waiting(run).find((member) => this.#dueInMs(member) <= 0);
    return due === undefined ? undefined : this.#cut(run, due);
  }

  /** Members that have something and are in no other run, those that are due first before the others. */
  #waiting(run: Run): readonly Member[] {
    return [...this.#members]
      .filter((member) => (member.run === undefined || member.run === run) && member.failure === undefined)
      .filter((member) => !member.of.buffer.isEmpty && (goesWithOthers(member) || run.members.has(member)))
      .sort((a, b) => this.#dueInMs(a) - this.#dueInMs(b));
  }

  /** Cuts what is due first, and what else fits in. */
  #cut(run: Run, first: Member): BatchCut {
    const { inserter, room } = this.#parts;
    let { bytesMax, rowsMax, blockBytesMax } = room;
    const ranges: Batch[] = [];
    const others = goesWithOthers(first) ? this.#waiting(run).filter((member) => member !== first) : [];
    for (const member of [first, ...others].slice(0, CUT_PARTITIONS_MAX)) {
      const batch = member.of.buffer.cut({ bytesMax, rowsMax, blockBytesMax }, member === first);
      if (batch === undefined) continue;
      bytesMax -= batch.bytes;
      rowsMax -= batch.rows;
      blockBytesMax -= batch.entries.reduce((sum, entry) => sum + entry.blockBytes, 0);
      ranges.push(batch);
      member.of.taken(batch);
      run.members.add(member);
      member.run = run;
      member.of.wake();
    }
    invariant(ranges.length > 0, 'a cut holds what was due');
    const apart = first.of.revision >= REVISIONS.lanes && inserter.paysApart(ranges);
    return { ranges, apart, refused: new Map() };
  }
}

/** Whether all sinks of the group understand a cut of several partitions. */
function goesWithOthers({ of }: Member): boolean {
  return of.revision >= REVISIONS.several;
}

function partitionFailed(): DependencyError {
  const why = 'another partition of the cut is taken up anew';
  return new DependencyError('kafka', 'unavailable', why, { retryable: true });
}
