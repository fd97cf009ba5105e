import { invariant } from '@weir/pipeline';

const MIB = 1024 ** 2;

/** Bounds of one rows record, with the reason beside each. */
export const LIMITS = {
  /** Decompressed exports of one rows record: its Native blocks are about as large. */
  recordBodyBytesMax: 4 * MIB,
  /**
   * Blocks and rows of one rows record, unless a single export has more: what one process holds, far below one block of
   * ClickHouse. Exports repeat their resource in every row, so the bodies alone bound nothing.
   */
  recordBlockBytesMax: 32 * MIB,
  recordRowsMax: 250_000,
  /**
   * Exports of one lane that hold less together share a block with those of other lanes: with three lanes of 32 KiB, blocks of
   * their own cost a quarter more than one, of 64 KiB and more nothing.
   */
  laneBodyBytesMin: 64 * 1024,
  /** Value of a rows record: the topic takes 12 MiB, header (4,096 edge marks: 96 KiB) and batch overhead included. */
  recordValueBytesMax: 11 * MIB,
  /** The edge splits what is larger; a body that inflates beyond it is not one of its records. */
  bodyBytesMax: 64 * MIB,
} as const;

invariant(LIMITS.recordBodyBytesMax <= LIMITS.bodyBytesMax, 'a record holds at least one body');
