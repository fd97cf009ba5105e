import type { ItemCheck } from './item-check.ts';
import type { ScanTotals } from './totals.ts';
import { timeValid } from './validity.ts';
import type { WireReader } from './wire.ts';

/** Scans one item up to `end` and adds it to the totals; false once the reader has a fault. */
export type ItemScanner = (reader: WireReader, end: number, check: ItemCheck, totals: ScanTotals) => boolean;

/** The export is 1, the resource 2, the scope 3. */
export const ITEM_DEPTH = 4;

/** Of a fixed64. */
export const TIME_BYTES = 8;

/** Start of a length-delimited value whose length prefix begins at `at`. */
export function valueStart(buf: Uint8Array, at: number): number {
  let pos = at;
  while (buf[pos]! >= 0x80) pos++;
  return pos + 1;
}

/** Whether the fixed64 at `at` is a time that is set and can be stored. */
export function timePresent(reader: WireReader, at: number): boolean {
  const hi = reader.word(at + 4);
  return timeValid(hi) && (hi !== 0 || reader.word(at) !== 0);
}
