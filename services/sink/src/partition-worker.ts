import {
  CutLedger,
  type Log,
  type Membership,
  type PartitionWork,
  ProgressLog,
  REVISIONS,
  type SinkStart,
  sinkPosition,
  sinkStart,
} from '@weir/delivery';
import { type Clock, heardClock } from '@weir/pipeline';
import { type BatchBounds, PartitionBuffer } from './batch/partition-buffer.ts';
import type { Batch } from './batches.ts';
import { RowsSource } from './consume/rows-source.ts';
import type { BatchInserter } from './insert/batch-inserter.ts';
import { LIMITS } from './limits.ts';

/** What a partition worker needs of the world. */
export interface WorkerParts {
  readonly log: Log;
  readonly membership: Membership;
  readonly inserter: Pick<BatchInserter, 'insert' | 'paysApart'>;
  readonly clock: Clock;
  readonly topic: string;
  readonly bounds: BatchBounds;
  /** What all sinks of the group understand. */
  readonly revision: number;
  /** Called with each batch once it is in ClickHouse and committed. */
  readonly onStored: (batch: Batch) => void;
  readonly onTakeOver: (cut: boolean) => void;
  /** Kafka let go of so many records before we had read them: they are lost. */
  readonly onLost: (partition: number, records: number) => void;
}

/** Where a partition stands, for the backlog report. */
export interface PartitionProgress {
  /** First offset that is not in ClickHouse. */
  doneTo: number;
  endOffset: number;
  /** Behind the last record that Kafka was found to have let go of; it is told once. */
  lostTo: number;
  /** Monotonic time when the end was seen. */
  endSeenMs: number;
  bufferedBytes: number;
  /** Mean size of a record's value, smoothed. */
  recordBytes: number;
  /** Monotonic time of the last sign of life, of which beginning anew is one. */
  aliveMs: number;
  /** Monotonic time when it last stored something, or had nothing to store; a worker that failed leaves it to the next one. */
  movedMs: number;
  /** Monotonic time since when the present batch is being inserted, retries included; undefined between batches. */
  insertingSinceMs: number | undefined;
}

const SMOOTHING = 0.2;

/**
 * One rows partition, from its log into ClickHouse: read by the rule, cut into batches, record each cut, insert, settle.
 * While a batch is inserted the next one fills, so batches grow with the load.
 */
export class PartitionWorker implements PartitionWork {
  readonly progress: PartitionProgress;
  readonly #parts: WorkerParts;
  readonly #partition: number;
  /** A sign of life with each use: a worker that tries again and again would not do better in another process. */
  readonly #clock: Clock;
  readonly #waiting = new Set<() => void>();
  #inHandBytes = 0;

  /** @param former where the partition stood when another worker of it failed; what that one held in memory is gone */
  constructor(partition: number, parts: WorkerParts, former?: PartitionProgress) {
    this.#partition = partition;
    this.#parts = parts;
    this.progress = {
      doneTo: 0,
      endOffset: 0,
      lostTo: 0,
      endSeenMs: parts.clock.nowMs(),
      recordBytes: 0,
      movedMs: parts.clock.nowMs(),
      ...former,
      bufferedBytes: 0,
      aliveMs: parts.clock.nowMs(),
      insertingSinceMs: undefined,
    };
    this.#clock = heardClock(parts.clock, () => {
      this.progress.aliveMs = parts.clock.nowMs();
    });
  }

  /**
   * Runs until the signal aborts or the partition is lost. Aborting lets an insert under way finish by itself: its cut
   * is recorded, and whoever takes over repeats it under the same token.
   *
   * @param draining once it aborts, no more is read; what is buffered is stored, and the worker ends
   */
  async run(signal: AbortSignal, draining: AbortSignal): Promise<void> {
    const { log, membership, topic, bounds } = this.#parts;
    const progress = new ProgressLog(log, topic, this.#partition);
    const committed = sinkPosition(await membership.committed(this.#partition, signal), await progress.read(signal));
    const limits = await log.bounds(topic, this.#partition, signal);
    const start = sinkStart(committed, limits.start);
    const first = Math.max(start.offset, limits.start);
    this.#tellLost(start.offset, first);
    const source = new RowsSource(log, topic, this.#partition, first, start.state);
    const buffer = new PartitionBuffer(this.#partition, first, start.state, bounds);
    const ledger = new CutLedger(membership, this.#partition, this.#clock, progress, start.term);
    this.progress.doneTo = first;
    this.sawEnd(limits.end);
    this.#parts.onTakeOver(start.cut !== null);
    if (start.cut !== null && start.cut >= first) await this.#redo(start, start.cut, source, buffer, ledger, signal);
    const stop = AbortSignal.any([signal, draining]);
    const wake = () => this.#wake();
    stop.addEventListener('abort', wake);
    const ending = new AbortController();
    const ended = AbortSignal.any([signal, ending.signal]);
    const filling = this.#fill(source, buffer, AbortSignal.any([ended, draining]));
    const storing = this.#store(buffer, ledger, ended, draining);
    try {
      // Reading ends early only by its failure; storing ends when it has drained.
      await Promise.race([storing, filling.then(() => storing)]);
    } finally {
      ending.abort();
      this.#wake();
      stop.removeEventListener('abort', wake);
      await Promise.allSettled([filling, storing]);
    }
  }

  #tellLost(stood: number, first: number): void {
    const lost = first - Math.max(stood, this.progress.lostTo);
    if (lost <= 0) return;
    this.progress.lostTo = first;
    this.#parts.onLost(this.#partition, lost);
  }

  /** Inserts exactly the recorded cut again: what is in ClickHouse already is dropped there. */
  async #redo(
    start: SinkStart,
    cut: number,
    source: RowsSource,
    buffer: PartitionBuffer,
    ledger: CutLedger,
    signal: AbortSignal,
  ): Promise<void> {
    while (source.offset <= cut) {
      const options = { maxBytes: LIMITS.readBytesMax, maxWaitMs: LIMITS.readWaitMs };
      const page = await source.read(options, signal);
      this.#take(page, buffer);
    }
    // By the rule by which it was cut, whatever all understand by now.
    const batch = { ...buffer.cutAt(cut), apart: start.apart, refused: start.refused };
    await ledger.record(batch, batch.stateBefore, signal);
    await this.#insert(batch, ledger, signal);
    await ledger.settle(batch.last, batch.stateAfter, null, signal);
    this.#stored(batch);
  }

  async #fill(source: RowsSource, buffer: PartitionBuffer, stop: AbortSignal): Promise<void> {
    while (!stop.aborted) {
      if (buffer.isFull) {
        await this.#pause(LIMITS.reportMs);
        continue;
      }
      try {
        const options = { maxBytes: LIMITS.readBytesMax, maxWaitMs: LIMITS.readWaitMs };
        this.#take(await source.read(options, stop), buffer);
      } catch (error) {
        if (stop.aborted) return;
        throw error;
      }
    }
  }

  /** The end is known from reading; while nothing is read, as the backlog grows nevertheless, who reports it looks. */
  sawEnd(offset: number): void {
    this.progress.endOffset = offset;
    this.progress.endSeenMs = this.#parts.clock.nowMs();
  }

  #take(page: Awaited<ReturnType<RowsSource['read']>>, buffer: PartitionBuffer): void {
    const { clock } = this.#parts;
    const { progress } = this;
    for (const entry of page.entries) {
      buffer.push(entry, clock.nowMs());
      if (entry.value.length > 0) {
        progress.recordBytes +=
          (entry.value.length - progress.recordBytes) * (progress.recordBytes === 0 ? 1 : SMOOTHING);
      }
    }
    this.sawEnd(page.endOffset);
    progress.bufferedBytes = buffer.bytes + this.#inHandBytes;
    progress.aliveMs = clock.nowMs();
    if (buffer.isEmpty && this.#inHandBytes === 0) progress.movedMs = progress.aliveMs;
    if (page.entries.length > 0) this.#wake();
  }

  async #store(buffer: PartitionBuffer, ledger: CutLedger, signal: AbortSignal, draining: AbortSignal): Promise<void> {
    let batch = await this.#next(buffer, signal, draining);
    if (batch !== undefined) await ledger.record(batch, batch.stateBefore, signal);
    while (batch !== undefined) {
      await this.#insert(batch, ledger, signal);
      // The next cut rides on this commit where a batch is due already.
      const due = buffer.dueInMs(this.#parts.clock.nowMs()) === 0 || (draining.aborted && !buffer.isEmpty);
      const next: Batch | undefined = due ? this.#cut(buffer) : undefined;
      await ledger.settle(batch.last, batch.stateAfter, next ?? null, signal);
      this.#stored(batch);
      this.progress.bufferedBytes = buffer.bytes + this.#inHandBytes;
      this.#wake();
      if (next !== undefined) batch = next;
      else {
        batch = await this.#next(buffer, signal, draining);
        if (batch !== undefined) await ledger.record(batch, batch.stateBefore, signal);
      }
    }
  }

  /** The next batch once it is due; undefined when the worker drains and nothing is left. */
  async #next(buffer: PartitionBuffer, signal: AbortSignal, draining: AbortSignal): Promise<Batch | undefined> {
    for (;;) {
      signal.throwIfAborted();
      if (draining.aborted) return buffer.isEmpty ? undefined : this.#cut(buffer);
      const dueMs = buffer.dueInMs(this.#parts.clock.nowMs());
      if (dueMs === 0) return this.#cut(buffer);
      await this.#pause(dueMs);
    }
  }

  #cut(buffer: PartitionBuffer): Batch {
    const { revision, inserter } = this.#parts;
    const batch = buffer.cut();
    return { ...batch, apart: revision >= REVISIONS.lanes && inserter.paysApart(batch) };
  }

  async #insert(batch: Batch, ledger: CutLedger, signal: AbortSignal): Promise<void> {
    this.#inHandBytes = batch.bytes;
    this.progress.insertingSinceMs = this.#parts.clock.nowMs();
    await this.#parts.inserter.insert(batch, ledger, signal);
    this.progress.insertingSinceMs = undefined;
    this.#inHandBytes = 0;
    this.progress.aliveMs = this.progress.movedMs = this.#parts.clock.nowMs();
  }

  #stored(batch: Batch): void {
    this.progress.doneTo = batch.last + 1;
    this.#parts.onStored(batch);
  }

  /** Waits until something changes, or for `ms` at most. */
  async #pause(ms: number): Promise<void> {
    const woken = new AbortController();
    const wake = () => woken.abort();
    this.#waiting.add(wake);
    await this.#clock.sleep(Math.min(ms, LIMITS.pauseMsMax), woken.signal).catch(() => undefined);
    this.#waiting.delete(wake);
  }

  #wake(): void {
    for (const wake of this.#waiting) wake();
  }
}
