import type { Fence, RowsMeta } from '@weir/records';

/** What a reader of a rows partition has to remember of all that came before. */
export interface ReaderState {
  /** Newest epoch seen; 0 before the first fence. */
  readonly epoch: number;
  /** Owner of that epoch, 16 hex digits; empty before the first fence. */
  readonly owner: string;
  /** Last raw offset whose rows were taken; -1 before the first. */
  readonly rawLast: number;
}

export const INITIAL_STATE: ReaderState = { epoch: 0, owner: '', rawLast: -1 };

/**
 * The reading rule of a rows partition, for everyone who reads it. A fence counts only if its epoch is above the newest
 * seen. A record counts only if it carries the newest epoch and owner (else a paused former owner wrote it) and its
 * source range is not passed already (else it is a repeated produce). A record of a higher epoch than any fence seen
 * stands behind a fence that the reader did not see (retention removed it): its epoch is taken over.
 */
export class RowsReader {
  #epoch: number;
  #owner: string;
  #rawLast: number;

  constructor(state: ReaderState = INITIAL_STATE) {
    this.#epoch = state.epoch;
    this.#owner = state.owner;
    this.#rawLast = state.rawLast;
  }

  get state(): ReaderState {
    return { epoch: this.#epoch, owner: this.#owner, rawLast: this.#rawLast };
  }

  /** Whether the record's rows count. Must be called with every record, in order of offset. */
  takes(meta: Fence | RowsMeta): boolean {
    if (meta.epoch > this.#epoch) {
      this.#epoch = meta.epoch;
      this.#owner = meta.owner;
    }
    if (meta.kind === 'fence' || !this.isOwners(meta) || this.isPassed(meta)) return false;
    this.#rawLast = Math.max(this.#rawLast, meta.rawLast);
    return true;
  }

  /**
   * Above every epoch that there was, also where no retained record tells of one: each took a fence, so that none is above the end of the
   * log. Others that read it remember epochs for longer than Kafka keeps records, and would pass over all of a lower one.
   *
   * @param end of the log
   */
  epochAbove(end: number): number {
    return Math.max(this.#epoch, end) + 1;
  }

  /** The rule of epochs: whether the record is the newest owner's. */
  isOwners(meta: RowsMeta): boolean {
    return meta.epoch === this.#epoch && meta.owner === this.#owner;
  }

  /** The rule of ranges: whether the record's source has been taken already. */
  isPassed(meta: RowsMeta): boolean {
    return meta.rawLast <= this.#rawLast;
  }
}
