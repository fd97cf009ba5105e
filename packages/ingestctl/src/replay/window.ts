import { UsageError } from '../context.ts';

/** One end of a window as it was given: an offset, or a time of receipt. Both are inclusive. */
export type WindowEnd =
  | { readonly kind: 'offset'; readonly offset: number }
  | { readonly kind: 'time'; readonly atNs: bigint };

/** A window as it was given. */
export interface Window {
  readonly from: WindowEnd;
  readonly to: WindowEnd;
}

/** Nothing is wrong with the command line, but what it asks for cannot be done: exit status 1. */
export class Refused extends Error {
  override readonly name = 'Refused';
}

const OFFSET = /^\d{1,15}$/;
/** With a zone, so that nobody has to guess; a fraction of up to nine digits. */
const TIME = /^(\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(?::\d{2})?)(?:\.(\d{1,9}))?(Z|[+-]\d{2}:\d{2})$/;
const NS_PER_MS = 1_000_000n;

/** @throws UsageError where the window cannot be one, whatever the log holds */
export function readWindow(from: string, to: string): Window {
  const window = { from: readEnd('--from', from), to: readEnd('--to', to) };
  if (isAfter(window)) throw new UsageError('--from is after --to');
  return window;
}

/** @throws UsageError where an offset would be taken for that of several partitions */
export function checkPartitions(window: Window, partitions: readonly number[]): void {
  const isBare = window.from.kind === 'offset' || window.to.kind === 'offset';
  if (isBare && partitions.length > 1) {
    throw new UsageError(
      `an offset is that of one partition, and there are ${partitions.length}: name one with --partition, or give times`,
    );
  }
}

function readEnd(option: string, text: string): WindowEnd {
  if (OFFSET.test(text)) return { kind: 'offset', offset: Number(text) };
  const [, whole = '', fraction = '', zone = ''] = TIME.exec(text) ?? [];
  const ms = Date.parse(`${whole}${zone}`);
  if (Number.isNaN(ms))
    throw new UsageError(`${option} must be an offset or a time with its zone, such as 2026-01-31T12:00:00Z`);
  return { kind: 'time', atNs: BigInt(ms) * NS_PER_MS + BigInt(fraction.padEnd(9, '0') || 0) };
}

function isAfter({ from, to }: Window): boolean {
  if (from.kind === 'offset') return to.kind === 'offset' && from.offset > to.offset;
  return to.kind === 'time' && from.atNs > to.atNs;
}

/** A time of receipt as it is shown, to the microsecond below it. */
export function timeText(atNs: bigint): string {
  const ms = Number(atNs / NS_PER_MS);
  if (ms > 8.64e15) return String(atNs);
  const micros = String((atNs / 1_000n) % 1_000n).padStart(3, '0');
  return `${new Date(ms).toISOString().slice(0, -1)}${micros}Z`;
}
