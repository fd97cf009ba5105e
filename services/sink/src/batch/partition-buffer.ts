import type { ReaderState } from '@weir/delivery';
import { InvariantError } from '@weir/pipeline';
import type { Batch, RowsEntry } from '../batches.ts';

/** What closes a batch. */
export interface BatchBounds {
  readonly ageMsMax: number;
  readonly bytesMax: number;
  readonly rowsMax: number;
  readonly blockBytesMax: number;
}

/**
 * Records of one partition that wait to be cut into a batch. A batch is due when its first record is old enough or a
 * bound is reached; it holds whole records, at least one.
 */
export class PartitionBuffer {
  readonly #partition: number;
  readonly #bounds: BatchBounds;
  #entries: { readonly entry: RowsEntry; readonly atMs: number }[] = [];
  #first: number;
  #state: ReaderState;
  #bytes = 0;
  #rows = 0;
  #blockBytes = 0;

  constructor(partition: number, first: number, state: ReaderState, bounds: BatchBounds) {
    this.#partition = partition;
    this.#bounds = bounds;
    this.#first = first;
    this.#state = state;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get isEmpty(): boolean {
    return this.#entries.length === 0;
  }

  /** Whether a bound is reached: no more is to be read. */
  get isFull(): boolean {
    const { bytesMax, rowsMax, blockBytesMax } = this.#bounds;
    return this.#bytes >= bytesMax || this.#rows >= rowsMax || this.#blockBytes >= blockBytesMax;
  }

  push(entry: RowsEntry, nowMs: number): void {
    this.#entries.push({ entry, atMs: nowMs });
    this.#bytes += entry.value.length;
    this.#rows += entry.rows;
    this.#blockBytes += entry.blockBytes;
  }

  /** Milliseconds until a batch is due; 0 when it is, infinite where there is nothing. */
  dueInMs(nowMs: number): number {
    const oldest = this.#entries[0];
    if (oldest === undefined) return Number.POSITIVE_INFINITY;
    return this.isFull ? 0 : Math.max(0, this.#bounds.ageMsMax - (nowMs - oldest.atMs));
  }

  /** Cuts the next batch within the bounds. @throws InvariantError when there is nothing */
  cut(): Batch {
    let bytes = 0;
    let rows = 0;
    let blockBytes = 0;
    let count = 0;
    for (const { entry } of this.#entries) {
      bytes += entry.value.length;
      rows += entry.rows;
      blockBytes += entry.blockBytes;
      const over =
        bytes > this.#bounds.bytesMax || rows > this.#bounds.rowsMax || blockBytes > this.#bounds.blockBytesMax;
      if (count > 0 && over) break;
      count++;
    }
    return this.#take(count);
  }

  /** Cuts exactly the records up to `last`, which must be there. */
  cutAt(last: number): Batch {
    const count = this.#entries.findIndex(({ entry }) => entry.offset > last);
    return this.#take(count < 0 ? this.#entries.length : count);
  }

  #take(count: number): Batch {
    const entries = this.#entries.slice(0, count).map(({ entry }) => entry);
    const newest = entries.at(-1);
    if (newest === undefined) throw new InvariantError('a batch without a record');
    const bytes = entries.reduce((sum, entry) => sum + entry.value.length, 0);
    const rows = entries.reduce((sum, entry) => sum + entry.rows, 0);
    const batch: Batch = {
      partition: this.#partition,
      first: this.#first,
      last: newest.offset,
      stateBefore: this.#state,
      stateAfter: newest.stateAfter,
      entries,
      bytes,
      rows,
      apart: false,
      refused: new Map(),
    };
    this.#entries = this.#entries.slice(count);
    this.#first = newest.offset + 1;
    this.#state = newest.stateAfter;
    this.#bytes -= bytes;
    this.#rows -= rows;
    this.#blockBytes -= entries.reduce((sum, entry) => sum + entry.blockBytes, 0);
    return batch;
  }
}
