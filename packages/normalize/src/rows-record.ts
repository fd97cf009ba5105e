import { zstdFrame } from '@weir/pipeline';
import { MIXED_LANE, type RowsSection, type TableName } from '@weir/records';

/** The value of a rows record as it grows: each table's block becomes one zstd frame. */
export class RowsRecordBuilder {
  readonly #frames: Buffer[] = [];
  readonly #sections: RowsSection[] = [];
  #bytes = 0;
  #rows = 0;
  #blockBytes = 0;

  /** Adds one table's Native block; the bytes are compressed at once and not kept. */
  add(table: TableName, rows: number, block: Buffer, lane = MIXED_LANE): void {
    const frame = zstdFrame(block);
    const start = this.#bytes;
    this.#frames.push(frame);
    this.#bytes += frame.length;
    this.#rows += rows;
    this.#blockBytes += block.length;
    this.#sections.push({ lane, table, rows, blockBytes: block.length, start, end: this.#bytes });
  }

  get rows(): number {
    return this.#rows;
  }

  /** Bytes of all blocks before they were compressed. */
  get blockBytes(): number {
    return this.#blockBytes;
  }

  /** Compressed bytes of all sections. */
  get bytes(): number {
    return this.#bytes;
  }

  get sections(): readonly RowsSection[] {
    return this.#sections;
  }

  value(): Buffer {
    return this.#frames.length === 1 ? this.#frames[0]! : Buffer.concat(this.#frames, this.#bytes);
  }
}
