import { FIRST_LIMIT_FAULT, ITEM_FAULTS, VALID } from './validity.ts';

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
  /** Of each item up to `faultsEnd`, in order: 0, or 1 and the index of its fault. Items beyond {@link FAULTS_MAX} have none. */
  faults: Uint8Array;
  faultsEnd: number;
  /**
   * Bytes that rows will have beside the items' own: all that a resource and a scope hold beside their lists, known or
   * not, and metric heads, each counted once for each of its items, and {@link ROW_BYTES} for each item.
   */
  repeatedBytes: number;
}

/** More items than an export may have: by {@link repeatedBytesMax} a body of 64 MiB has 2.2 million at most. */
const FAULTS_MAX = 2 ** 24;
const FAULTS_KEPT = 2 ** 16;

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
  const faults = new Uint8Array(1024);
  const none = { items: 0, errorItems: 0, slowItems: 0, rejectedItems: 0, repeatedBytes: 0, faultsEnd: 0 };
  return { ...none, rejected, faults };
}

export function clearTotals(totals: ScanTotals): void {
  totals.items = 0;
  totals.errorItems = 0;
  totals.slowItems = 0;
  totals.rejectedItems = 0;
  totals.repeatedBytes = 0;
  if (totals.faultsEnd === 0) return;
  totals.rejected.fill(0);
  if (totals.faults.length > FAULTS_KEPT) totals.faults = new Uint8Array(FAULTS_KEPT);
  else totals.faults.fill(0, 0, totals.faultsEnd);
  totals.faultsEnd = 0;
}

/** Counts one item and its fault, if it has one. */
export function countItem(totals: ScanTotals, fault: number): void {
  totals.items++;
  totals.repeatedBytes += ROW_BYTES;
  if (fault !== VALID) reject(totals, totals.items - 1, fault);
}

function reject(totals: ScanTotals, item: number, fault: number): void {
  totals.rejected[fault]!++;
  totals.rejectedItems++;
  totals.faultsEnd = Math.min(item + 1, FAULTS_MAX);
  if (item >= FAULTS_MAX) return;
  if (item >= totals.faults.length) {
    const grown = new Uint8Array(Math.min(FAULTS_MAX, Math.max(item + 1, totals.faults.length * 2)));
    grown.set(totals.faults);
    totals.faults = grown;
  }
  totals.faults[item] = fault + 1;
}

/**
 * Gives all items from `from` on one fault, that of what they share, whatever each of them has. `errorItems` and
 * `slowItems` are those before them.
 */
export function rejectAllFrom(
  totals: ScanTotals,
  from: number,
  fault: number,
  errorItems: number,
  slowItems: number,
): void {
  totals.errorItems = errorItems;
  totals.slowItems = slowItems;
  for (let item = from; item < totals.faultsEnd; item++) {
    const code = totals.faults[item]!;
    if (code === 0) continue;
    totals.rejected[code - 1]!--;
    totals.rejectedItems--;
  }
  for (let item = from; item < totals.items; item++) reject(totals, item, fault);
}

/**
 * Which of the items [from, to) are over a limit of their tenant: for each 0, or 1 and the index of its fault; undefined
 * where none is. A copy.
 */
export function limitFaults({ faults, faultsEnd }: ScanTotals, from: number, to: number): Uint8Array | undefined {
  let last = -1;
  for (let item = from; item < Math.min(to, faultsEnd); item++) if (faults[item]! > FIRST_LIMIT_FAULT) last = item;
  if (last < 0) return undefined;
  return faults.slice(from, last + 1).map((code) => (code > FIRST_LIMIT_FAULT ? code : 0));
}
