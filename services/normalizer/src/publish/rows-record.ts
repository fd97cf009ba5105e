import { constants, zstdCompressSync } from 'node:zlib';
import type { RowsSection, TableName } from '@weir/records';

const LIVE_LANE = 0;
const ZSTD = { params: { [constants.ZSTD_c_compressionLevel]: 1 } };

/** The value of a rows record as it grows: each table's block becomes one zstd frame. */
export class RowsRecordBuilder {
  readonly #frames: Buffer[] = [];
  readonly #sections: RowsSection[] = [];
  #bytes = 0;
  #rows = 0;

  /** Adds one table's Native block; the bytes are compressed at once and not kept. */
  add(table: TableName, rows: number, block: Buffer): void {
    const frame = zstdCompressSync(block, ZSTD);
    const start = this.#bytes;
    this.#frames.push(frame);
    this.#bytes += frame.length;
    this.#rows += rows;
    this.#sections.push({ lane: LIVE_LANE, table, rows, blockBytes: block.length, start, end: this.#bytes });
  }

  get rows(): number {
    return this.#rows;
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
