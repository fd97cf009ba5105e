import { DependencyError, faultPoint, InvariantError } from '@weir/pipeline';
import { encodeRowsMeta, type RowsMeta } from '@weir/records';
import { lostEndError } from './log-end.ts';
import { isOwned, type Ownership, type RowsPartition, stillOwned } from './take-over.ts';

/** What a rows record says beside who wrote it. */
export type RowsContent = Omit<RowsMeta, 'kind' | 'epoch' | 'owner'>;

const ATTEMPTS_MAX = 4;
const RETRY_DELAY_MS = 100;

/**
 * Appends to one rows partition as its owner. One append is in flight at a time. An owner that is alone sees its offsets
 * grow by one; a gap is read, and a newer fence in it ends the ownership. So does an append that stays without an answer. An offset that
 * was given before says that Kafka has lost the end of the log.
 */
export class RowsWriter {
  readonly #rows: RowsPartition;
  readonly #ownership: Ownership;
  #last: number;
  #rawLast: number;
  #lost = false;
  #appending = false;

  constructor(rows: RowsPartition, ownership: Ownership) {
    this.#rows = rows;
    this.#ownership = ownership;
    this.#last = ownership.fenceOffset;
    this.#rawLast = ownership.rawLast;
  }

  /**
   * Appends one record and returns its offset, or undefined once the partition is no longer owned: then take over anew.
   * A retry repeats the same bytes, and the reading rule drops what is repeated.
   *
   * @throws DependencyError `rejected` where the log has lost its end
   */
  async append(content: RowsContent, value: Buffer, signal: AbortSignal): Promise<number | undefined> {
    if (this.#appending) throw new InvariantError('two appends in flight in one rows partition');
    if (content.rawFirst > content.rawLast || content.rawFirst <= this.#rawLast) {
      throw new InvariantError('a source range that does not follow the last one');
    }
    this.#appending = true;
    try {
      const offset = this.#lost ? undefined : await this.#append(content, value, signal);
      if (offset === undefined) this.#lost = true;
      else this.#rawLast = content.rawLast;
      return offset;
    } finally {
      this.#appending = false;
    }
  }

  async #append(content: RowsContent, value: Buffer, signal: AbortSignal): Promise<number | undefined> {
    const { log, topic, partition, clock, failed } = this.#rows;
    const { epoch, owner } = this.#ownership;
    const meta = encodeRowsMeta({ kind: 'rows', epoch, owner, ...content });
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
      try {
        const offset = await log.append(topic, partition, [{ key: null, value, meta }], signal);
        faultPoint('normalizer.after_produce');
        return (await this.owns(offset, signal)) ? offset : undefined;
      } catch (error) {
        if (!(error instanceof DependencyError) || !error.retryable) throw error;
        const delayMs = RETRY_DELAY_MS * 2 ** attempt;
        failed?.(delayMs);
        await clock.sleep(delayMs, signal);
      }
    }
    return undefined;
  }

  /** The gap rule. On a failure to read the gap the record stays unacknowledged and is appended again. */
  async owns(offset: number, signal: AbortSignal): Promise<boolean> {
    const expected = this.#last + 1;
    if (offset < expected) {
      throw lostEndError(this.#rows.topic, this.#rows.partition, { end: offset, recorded: expected });
    }
    const state = { epoch: this.#ownership.epoch, owner: this.#ownership.owner, rawLast: this.#rawLast };
    if (offset !== expected && !(await stillOwned(this.#rows, state, expected, offset, signal))) return false;
    this.#last = offset;
    return isOwned(state, this.#ownership.epoch, this.#ownership.owner);
  }
}
