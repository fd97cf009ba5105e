import type { Cut, CutRange, ReaderState } from '@weir/delivery';
import type { DlqReason, RowsMeta } from '@weir/records';

/** One record of a rows partition as the sink holds it. */
export interface RowsEntry {
  readonly offset: number;
  /** Concatenated zstd frames; empty where the record does not count. */
  readonly value: Buffer;
  /** Undefined for a record that does not count: a fence, a repetition, a former owner's. */
  readonly meta: RowsMeta | undefined;
  /** Set for a record that cannot be read. */
  readonly poison: { readonly reason: DlqReason; readonly message: string } | undefined;
  readonly rows: number;
  readonly blockBytes: number;
  /** What it holds in memory: its value, its header and what is made of it. */
  readonly heldBytes: number;
  /** The reading rule's state after this record. */
  readonly stateAfter: ReaderState;
}

/** The records of one partition that go in with a cut, all of them from `first` to `last`, in order. */
export interface Batch extends CutRange {
  readonly entries: readonly RowsEntry[];
  /** What they hold in memory. */
  readonly bytes: number;
  readonly rows: number;
}

/** The batches that go in together. */
export type BatchCut = Cut<Batch>;

/** When the first of its exports was received, ns since the epoch; undefined where it holds none, but notes or poison. */
export function oldestReceivedAtNs({ entries }: Pick<Batch, 'entries'>): bigint | undefined {
  const first = entries.find(({ meta }) => meta !== undefined && meta.oldestReceivedAtNs > 0n);
  return first?.meta?.oldestReceivedAtNs;
}
