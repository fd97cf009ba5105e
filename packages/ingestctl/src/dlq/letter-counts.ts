import type { SignalKind } from '@weir/pipeline';
import type { DlqReason } from '@weir/records';
import { timeText } from '../times.ts';
import type { Letter } from './letters.ts';

/** Letters that have all this in common, added up. */
export interface LetterCount {
  readonly reason: DlqReason;
  /** Empty where it is not known. */
  readonly tenant: string;
  readonly signal: SignalKind;
  /** What is the case with them, or is to be done. */
  readonly state: string;
  letters: number;
  items: number;
  bytes: number;
  /** When the first and the last were given up, ns since the epoch. */
  firstNs: bigint;
  lastNs: bigint;
}

/** Adds letters up by reason, tenant, signal and state. */
export class LetterCounts {
  readonly #counts = new Map<string, LetterCount>();

  add({ meta, value }: Letter, state: string): void {
    const { reason, tenant, signal, items, firstSeenNs } = meta;
    const key = JSON.stringify([reason, tenant, signal, state]);
    const found = this.#counts.get(key);
    if (found === undefined) {
      const sums = { letters: 1, items, bytes: value.length, firstNs: firstSeenNs, lastNs: firstSeenNs };
      this.#counts.set(key, { reason, tenant, signal, state, ...sums });
      return;
    }
    found.letters++;
    found.items += items;
    found.bytes += value.length;
    if (firstSeenNs < found.firstNs) found.firstNs = firstSeenNs;
    if (firstSeenNs > found.lastNs) found.lastNs = firstSeenNs;
  }

  /** The most letters first. */
  all(): readonly LetterCount[] {
    return [...this.#counts.values()].toSorted((a, b) => b.letters - a.letters);
  }
}

export const COUNT_HEADINGS = [
  'reason',
  'tenant',
  'signal',
  'state',
  'letters',
  'items',
  'bytes',
  'first seen',
  'last seen',
];

/** A count as a row under the headings. */
export function countRow(count: LetterCount): (string | number)[] {
  const { reason, tenant, signal, state, letters, items, bytes, firstNs, lastNs } = count;
  return [reason, tenant, signal, state, letters, items, bytes, timeText(firstNs), timeText(lastNs)];
}

/** A count as JSON has it. */
export function shownCount({ firstNs, lastNs, ...count }: LetterCount): object {
  return { ...count, firstSeen: timeText(firstNs), lastSeen: timeText(lastNs) };
}
