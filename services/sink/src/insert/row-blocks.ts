import { zstdDecompressSync } from 'node:zlib';
import { BlockRows } from '@weir/native';
import { SIGNALS, type SignalKind, zstdFrame } from '@weir/pipeline';
import { signalOf, type TableName, tableLayouts, type Usage, usageBlock } from '@weir/records';
import type { PartBlock } from './parts.ts';

/** Whose a row is. */
export interface RowOwner {
  readonly tenant: string;
  readonly signal: SignalKind;
  /** Day of receipt, days since the epoch. */
  readonly day: number;
}

/** The rows of one block. */
export interface OpenBlock {
  ownerOf(row: number): RowOwner;
  /** The rows [from, to) as a frame of their own, the same for whoever does it again. */
  slice(from: number, to: number): Buffer;
}

/** How rows are cut out of blocks, and how the books are written: the seam that the simulation fakes. */
export interface RowBlocks {
  /** Undefined where the frame does not hold what its record says. */
  open(table: TableName, block: PartBlock): OpenBlock | undefined;
  usage(rows: readonly Usage[]): Buffer;
}

/** Blocks as they are opened; the last one stays open, as what is cut out of it is asked for one piece after the other. */
export class OpenBlocks {
  readonly #blocks: RowBlocks;
  #last: { readonly of: PartBlock; readonly open: OpenBlock | undefined } | undefined;

  constructor(blocks: RowBlocks) {
    this.#blocks = blocks;
  }

  open(table: TableName, block: PartBlock): OpenBlock | undefined {
    if (this.#last?.of !== block) this.#last = { of: block, open: this.#blocks.open(table, block) };
    return this.#last.open;
  }
}

/** Blocks as they are: Native, and compressed. */
export const NATIVE_BLOCKS: RowBlocks = {
  open: (table, { frame, rows: count, blockBytes }) => {
    const block = inflated(frame, blockBytes);
    const rows = block === undefined ? undefined : BlockRows.readAny(block, tableLayouts(table));
    if (rows === undefined || rows.count !== count) return undefined;
    return {
      ownerOf: (row) => ownerOf(table, rows, row),
      slice: (from, to) => zstdFrame(rows.slice(from, to)),
    };
  },
  usage: (rows) => zstdFrame(usageBlock(rows)),
};

function inflated(frame: Buffer, blockBytes: number): Buffer | undefined {
  try {
    return zstdDecompressSync(frame, { maxOutputLength: blockBytes });
  } catch {
    return undefined;
  }
}

function ownerOf(table: TableName, rows: BlockRows, row: number): RowOwner {
  const tenant = rows.text('TenantId', row);
  const signal = signalOf(table);
  if (signal !== undefined) return { tenant, signal, day: rows.day('ReceivedDay', row) };
  const booked = rows.text('Signal', row);
  return { tenant, signal: SIGNALS.find((known) => known === booked) ?? 'traces', day: 0 };
}
