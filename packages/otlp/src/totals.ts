import { ITEM_FAULTS, VALID } from './validity.ts';

/** What one scan found. Reused from scan to scan: nothing is allocated for an item or for an export. */
export interface ScanTotals {
  /** Spans, log records or data points, the rejected ones included. */
  items: number;
  /** Items with an error: a span's status, a log at ERROR or above. */
  errorItems: number;
  /** Spans slower than the threshold. */
  slowItems: number;
  /** Items that are well-formed but cannot be stored, by index of ITEM_FAULTS. */
  readonly rejected: Uint32Array;
  /** Sum of `rejected`. */
  rejectedItems: number;
  /**
   * Bytes that rows will have beside the items' own: all that a resource and a scope hold beside their lists, known or
   * not, and metric heads, each counted once for each of its items, and {@link ROW_BYTES} for each item.
   */
  repeatedBytes: number;
}

const EXPANSION_BYTES = 16 * 1024 * 1024;
const EXPANSION_RATIO = 4;
/** What a row takes in columns of fixed width, whatever its item holds: an item may be two bytes. */
export const ROW_BYTES = 128;

/**
 * Most bytes that the rows of an export of `bytes` may add. Above it, a few MB of tiny items, or a few items under a huge
 * resource, would fill the memory of whoever writes them out as rows.
 */
export function repeatedBytesMax(bytes: number): number {
  return EXPANSION_BYTES + EXPANSION_RATIO * bytes;
}

/** Totals for a scan; make one and keep it. */
export function createTotals(): ScanTotals {
  const rejected = new Uint32Array(ITEM_FAULTS.length);
  return { items: 0, errorItems: 0, slowItems: 0, rejected, rejectedItems: 0, repeatedBytes: 0 };
}

export function clearTotals(totals: ScanTotals): void {
  totals.items = 0;
  totals.errorItems = 0;
  totals.slowItems = 0;
  totals.rejectedItems = 0;
  totals.repeatedBytes = 0;
  totals.rejected.fill(0);
}

/** Counts one item and its fault, if it has one. */
export function countItem(totals: ScanTotals, fault: number): void {
  totals.items++;
  totals.repeatedBytes += ROW_BYTES;
  if (fault === VALID) return;
  totals.rejected[fault]!++;
  totals.rejectedItems++;
}
