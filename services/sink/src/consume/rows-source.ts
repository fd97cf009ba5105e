import { type Log, type ReaderState, RowsReader } from '@weir/delivery';
import { decodeRowsMeta } from '@weir/records';
import type { RowsEntry } from '../batches.ts';
import type { HeldAnswers } from './held-answers.ts';

const EMPTY = Buffer.alloc(0);
/** About what a record holds beside its bytes. */
const RECORD_BYTES = 1_024;

/** What one read gave. */
export interface RowsPage {
  readonly entries: readonly RowsEntry[];
  /** One past the newest record of the partition. */
  readonly endOffset: number;
}

/** Where rows are read. */
export interface RowsPlace {
  readonly log: Log;
  readonly topic: string;
  /** Whoever stores what was read lets go of it here. */
  readonly answers: HeldAnswers;
}

/** Reads a rows partition by the reading rule. */
export class RowsSource {
  readonly #place: RowsPlace;
  readonly #partition: number;
  readonly #reader: RowsReader;
  #offset: number;

  constructor(place: RowsPlace, partition: number, offset: number, state: ReaderState) {
    this.#place = place;
    this.#partition = partition;
    this.#offset = offset;
    this.#reader = new RowsReader(state);
  }

  /** Offset that is read next. */
  get offset(): number {
    return this.#offset;
  }

  /** Waits for records and returns them, those that do not count included: a batch holds every offset. */
  async read(
    options: { readonly maxBytes: number; readonly maxWaitMs: number },
    signal: AbortSignal,
  ): Promise<RowsPage> {
    const { log, topic, answers } = this.#place;
    const page = await log.read(topic, this.#partition, this.#offset, options, signal);
    const entries = page.records.map((record) => this.#entry(record.offset, record.meta, record.value ?? EMPTY));
    for (const { value } of entries) answers.hold(value);
    this.#offset = page.nextOffset;
    return { entries, endOffset: page.endOffset };
  }

  #entry(offset: number, header: Buffer | null, value: Buffer): RowsEntry {
    const decoded = decodeRowsMeta(header, value.length, false);
    // All of it: whatever it is, the answer that it came in stays for as long as any record of that.
    const heldBytes = RECORD_BYTES + value.length + (header?.length ?? 0);
    const nothing = { offset, value: EMPTY, meta: undefined, rows: 0, blockBytes: 0, heldBytes };
    if (!decoded.ok) {
      const poison = { reason: decoded.reason, message: decoded.message };
      return { ...nothing, value, poison, stateAfter: this.#reader.state };
    }
    const meta = decoded.value;
    const counts = this.#reader.takes(meta);
    const stateAfter = this.#reader.state;
    if (!counts || meta.kind !== 'rows') return { ...nothing, poison: undefined, stateAfter };
    let rows = 0;
    let blockBytes = 0;
    for (const section of meta.sections) {
      rows += section.rows;
      blockBytes += section.blockBytes;
    }
    return { offset, value, meta, poison: undefined, rows, blockBytes, heldBytes, stateAfter };
  }
}
