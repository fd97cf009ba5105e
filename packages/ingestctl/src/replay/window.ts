import { UsageError } from '../context.ts';
import { Refused } from '../refused.ts';
import { readTime } from '../times.ts';

/** One end of a window as it was given: an offset, or a time of receipt. Both are inclusive. */
export type WindowEnd =
  | { readonly kind: 'offset'; readonly offset: number }
  | { readonly kind: 'time'; readonly atNs: bigint };

/** A window as it was given. */
export interface Window {
  readonly from: WindowEnd;
  readonly to: WindowEnd;
}

const OFFSET = /^\d{1,15}$/;

/** @throws UsageError where the window cannot be one, whatever the log holds */
export function readWindow(from: string, to: string, nowNs: bigint): Window {
  const window = { from: readEnd('--from', from, nowNs), to: readEnd('--to', to, nowNs) };
  if (isAfter(window)) throw new UsageError('--from is after --to');
  return window;
}

/** @throws Refused where an offset would be taken for that of several partitions */
export function checkPartitions(window: Window, partitions: readonly number[]): void {
  const isBare = window.from.kind === 'offset' || window.to.kind === 'offset';
  if (isBare && partitions.length > 1) {
    throw new Refused(
      `an offset is that of one partition, and there are ${partitions.length}: name one with --partition, or give times`,
    );
  }
}

function readEnd(option: string, text: string, nowNs: bigint): WindowEnd {
  if (OFFSET.test(text)) return { kind: 'offset', offset: Number(text) };
  return { kind: 'time', atNs: readTime(`${option}, where it is no offset,`, text, nowNs) };
}

function isAfter({ from, to }: Window): boolean {
  if (from.kind === 'offset') return to.kind === 'offset' && from.offset > to.offset;
  return to.kind === 'time' && from.atNs > to.atNs;
}
