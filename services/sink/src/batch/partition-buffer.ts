import type { ReaderState } from '@weir/delivery';
import { InvariantError } from '@weir/pipeline';
import type { Batch, RowsEntry } from '../batches.ts';

/** How much goes in together. */
export interface Room {
  readonly bytesMax: number;
  readonly rowsMax: number;
  readonly blockBytesMax: number;
}

/** What closes a batch. */
export interface BatchBounds extends Room {
  readonly ageMsMax: number;
}

/** Where a buffer begins. */
export interface BufferStart {
  readonly partition: number;
  /** Its first record. */
  readonly first: number;
  /** The reading rule's state before that. */
  readonly state: ReaderState;
  /** Which owner of the partition fills it, counted. */
  readonly term: number;
}

/**
 * Records of one partition that wait to be cut into a batch. A batch is due when its first record is old enough or a
 * bound is reached; it holds whole records, at least one.
 */
export class PartitionBuffer {
  readonly #partition: number;
  readonly #term: number;
  readonly #bounds: BatchBounds;
  #entries: { readonly entry: RowsEntry; readonly atMs: number }[] = [];
  #first: number;
  #state: ReaderState;
  #bytes = 0;
  #rows = 0;
  #blockBytes = 0;

  constructor({ partition, first, state, term }: BufferStart, bounds: BatchBounds) {
    this.#partition = partition;
    this.#term = term;
    this.#bounds = bounds;
    this.#first = first;
    this.#state = state;
  }

  /** What its records hold in memory. */
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
    this.#bytes += entry.heldBytes;
    this.#rows += entry.rows;
    this.#blockBytes += entry.blockBytes;
  }

  /** Milliseconds until a batch is due; less than 0 when it has been, infinite where there is nothing. */
  dueInMs(nowMs: number): number {
    const oldest = this.#entries[0];
    if (oldest === undefined) return Number.POSITIVE_INFINITY;
    const dueMs = this.#bounds.ageMsMax - (nowMs - oldest.atMs);
    return this.isFull ? Math.min(0, dueMs) : dueMs;
  }

  /**
   * Cuts the next batch, within the buffer's own bounds and those of the room that is left; undefined where nothing fits in.
   *
   * @param isFirst its first record is taken whatever its size
   */
  cut(room: Room, isFirst: boolean): Batch | undefined {
    let bytes = 0;
    let rows = 0;
    let blockBytes = 0;
    let count = 0;
    for (const { entry } of this.#entries) {
      bytes += entry.heldBytes;
      rows += entry.rows;
      blockBytes += entry.blockBytes;
      const over = [this.#bounds, room].some(
        (bounds) => bytes > bounds.bytesMax || rows > bounds.rowsMax || blockBytes > bounds.blockBytesMax,
      );
      if (over && !(isFirst && count === 0)) break;
      count++;
    }
    return count === 0 ? undefined : this.#take(count);
  }

  #take(count: number): Batch {
    const entries = this.#entries.slice(0, count).map(({ entry }) => entry);
    const newest = entries.at(-1);
    if (newest === undefined) throw new InvariantError('a batch without a record');
    const bytes = entries.reduce((sum, entry) => sum + entry.heldBytes, 0);
    const rows = entries.reduce((sum, entry) => sum + entry.rows, 0);
    const batch: Batch = {
      partition: this.#partition,
      first: this.#first,
      last: newest.offset,
      stateBefore: this.#state,
      stateAfter: newest.stateAfter,
      term: this.#term,
      entries,
      bytes,
      rows,
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
