import { lostEndError, type PartitionWork, type SinkStart } from '@weir/delivery';
import { type Clock, heardClock } from '@weir/pipeline';
import { type BatchBounds, PartitionBuffer } from './batch/partition-buffer.ts';
import type { Batch } from './batches.ts';
import { RowsSource } from './consume/rows-source.ts';
import type { Contributor, Cutter } from './cutter.ts';
import { LIMITS } from './limits.ts';
import { RecordedCuts, type RecordedIn, type TakenUp } from './recorded-cuts.ts';

/** What a partition worker needs of the world. */
export interface WorkerParts extends RecordedIn {
  readonly cutter: Pick<Cutter, 'store' | 'repeat'>;
  readonly bounds: BatchBounds;
  /** What all sinks of the group understand. */
  readonly revision: number;
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
/** A reason of its own: an error with its stack would be made for each record that comes. */
const WOKEN = Symbol('woken');

/**
 * One rows partition, from its log into ClickHouse: read by the rule and given to the cutter, which stores it together with the
 * sink's other partitions. While a batch is inserted the next one fills, so batches grow with the load.
 */
export class PartitionWorker implements PartitionWork {
  readonly progress: PartitionProgress;
  readonly #parts: WorkerParts;
  readonly #partition: number;
  /** A sign of life with each use: a worker that tries again and again would not do better in another process. */
  readonly #clock: Clock;
  readonly #waiting = new Set<() => void>();
  /** Of batches that were cut and are not stored: one, and the next one while that is settled. */
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
    this.#clock = heardClock(parts.clock, () => this.#heard());
  }

  #heard(): void {
    this.progress.aliveMs = this.#parts.clock.nowMs();
  }

  /**
   * Runs until the signal aborts or the partition is lost. What aborting cuts off of an insert under way is recorded as a cut, and
   * whoever takes over repeats it under the same token.
   *
   * @param draining once it aborts, no more is read; what is buffered is stored, and the worker ends
   */
  async run(signal: AbortSignal, draining: AbortSignal): Promise<void> {
    const { log, topic, bounds, cutter } = this.#parts;
    const limits = await log.bounds(topic, this.#partition, signal);
    await this.#sample(limits, signal);
    const recorded = new RecordedCuts({ ...this.#parts, clock: this.#clock });
    // Its backlog counts while it waits for another partition, too.
    const onFound = ({ offset }: SinkStart) => {
      this.#tellLost(offset, Math.max(offset, limits.start));
      this.progress.doneTo = Math.max(offset, limits.start);
      this.sawEnd(limits.end);
    };
    const taken = await recorded.takeUp(this.#partition, limits.start, signal, draining, onFound);
    if (taken === undefined) return;
    const { start } = taken;
    await this.#expectReached(start.offset, limits.end, signal);
    this.#parts.onTakeOver(start.cut !== null);
    const cut = start.cut === null ? undefined : await this.#redo(taken, recorded, signal);
    const { term } = start;
    const first = Math.max(cut === undefined ? start.offset : cut.last + 1, limits.start);
    const state = cut?.stateAfter ?? start.state;
    const source = new RowsSource(this.#parts, this.#partition, first, state);
    const buffer = new PartitionBuffer({ partition: this.#partition, first, state, term }, bounds);
    const stop = AbortSignal.any([signal, draining]);
    const wake = () => this.#wake();
    stop.addEventListener('abort', wake);
    const ending = new AbortController();
    const ended = AbortSignal.any([signal, ending.signal]);
    // What was read before reading failed is stored: the insert that it is in is that of other partitions, too.
    const unread = new AbortController();
    const filling = this.#fill(source, buffer, AbortSignal.any([ended, draining])).catch((error: unknown) => {
      unread.abort();
      this.#wake();
      throw error;
    });
    // It is seen when it is awaited; until then it must not count as unhandled.
    filling.catch(() => undefined);
    const storing = cutter.store(this.#contributor(buffer), ended, AbortSignal.any([draining, unread.signal]));
    try {
      await storing;
      await filling;
    } finally {
      ending.abort();
      this.#wake();
      stop.removeEventListener('abort', wake);
      await Promise.allSettled([filling, storing]);
    }
  }

  /** @throws DependencyError where the log ends before what was stored of it: what comes next would be passed over */
  async #expectReached(offset: number, endBefore: number, signal: AbortSignal): Promise<void> {
    if (offset <= endBefore) return;
    const { log, topic } = this.#parts;
    // Taking up may have waited for another partition's cut.
    const { end } = await log.bounds(topic, this.#partition, signal);
    if (offset > end) throw lostEndError(topic, this.#partition, { end, recorded: offset });
  }

  /** The size of the newest records: the backlog counts before any is read, while a recorded cut is inserted or waited for. */
  async #sample({ start, end }: { readonly start: number; readonly end: number }, signal: AbortSignal): Promise<void> {
    if (this.progress.recordBytes > 0 || start === end) return;
    const { log, topic } = this.#parts;
    const from = Math.max(start, end - LIMITS.sampleRecords);
    const options = { maxBytes: LIMITS.sampleBytesMax, maxWaitMs: LIMITS.readWaitMs };
    const { records } = await log.read(topic, this.#partition, from, options, signal);
    const sizes = records.map(({ value }) => value?.length ?? 0).filter((size) => size > 0);
    if (sizes.length > 0) this.progress.recordBytes = sizes.reduce((sum, size) => sum + size) / sizes.length;
  }

  #tellLost(stood: number, first: number): void {
    const lost = first - Math.max(stood, this.progress.lostTo);
    if (lost <= 0) return;
    this.progress.lostTo = first;
    this.#parts.onLost(this.#partition, lost);
  }

  /**
   * Inserts exactly the recorded cut again, with what it holds of other partitions: what is in ClickHouse already is dropped there.
   * Returns what it holds of this one.
   */
  async #redo({ start, isStored }: TakenUp, recorded: RecordedCuts, signal: AbortSignal): Promise<Batch> {
    // Another led it, and has settled it.
    if (isStored) return recorded.readRange(this.#partition, start, signal);
    // By the rule by which it was cut, whatever all understand by now.
    const { cut, isStored: isSettled } = await recorded.read(this.#partition, start, signal);
    const [own] = cut.ranges as [Batch];
    this.#taken(own);
    this.#inserting();
    await this.#parts.cutter.repeat(cut, isSettled, () => this.#heard(), signal);
    this.#stored(own);
    return own;
  }

  #contributor(buffer: PartitionBuffer): Contributor {
    return {
      partition: this.#partition,
      buffer,
      revision: this.#parts.revision,
      heard: () => this.#heard(),
      taken: (batch) => this.#taken(batch),
      inserting: () => this.#inserting(),
      stored: (batch) => {
        this.#stored(batch);
        this.progress.bufferedBytes = buffer.bytes + this.#inHandBytes;
      },
      pause: (ms) => this.#pause(ms),
      wake: () => this.#wake(),
    };
  }

  async #fill(source: RowsSource, buffer: PartitionBuffer, stop: AbortSignal): Promise<void> {
    while (!stop.aborted) {
      if (buffer.isFull) {
        await this.#pause(LIMITS.fullLookMs);
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

  #taken(batch: Batch): void {
    this.#inHandBytes += batch.bytes;
  }

  #inserting(): void {
    this.progress.insertingSinceMs = this.#parts.clock.nowMs();
  }

  #stored(batch: Batch): void {
    this.#inHandBytes -= batch.bytes;
    this.progress.insertingSinceMs = undefined;
    this.progress.aliveMs = this.progress.movedMs = this.#parts.clock.nowMs();
    this.progress.doneTo = batch.last + 1;
    for (const { value } of batch.entries) this.#parts.answers.release(value);
  }

  /** Waits until something changes, or for `ms` at most. */
  async #pause(ms: number): Promise<void> {
    const woken = new AbortController();
    const wake = () => woken.abort(WOKEN);
    this.#waiting.add(wake);
    await this.#clock.sleep(Math.min(ms, LIMITS.pauseMsMax), woken.signal).catch(() => undefined);
    this.#waiting.delete(wake);
  }

  #wake(): void {
    for (const wake of this.#waiting) wake();
  }
}
