import { SIGNALS } from '@weir/pipeline';
import { DLQ_REASONS } from '@weir/records';
import { UsageError } from '../context.ts';
import { oneOf } from '../options.ts';
import { type Letter, letterId } from './letters.ts';

/** Which letters a command is about, as it is given. What is left out leaves nothing out. */
export interface FilterOptions {
  readonly reason?: readonly string[];
  readonly tenant?: readonly string[];
  readonly signal?: readonly string[];
  readonly id?: readonly string[];
  readonly from?: string;
  readonly to?: string;
}

export type LetterFilter = (letter: Letter) => boolean;

const NS_PER_MS = 1_000_000n;
const AGO = /^(\d{1,6})(s|m|h|d)$/;
const UNIT_MS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/**
 * Makes a filter of the options.
 *
 * @throws UsageError where an option is of no use
 */
export function letterFilter(options: FilterOptions, nowMs: number): LetterFilter {
  oneOf('--reason', options.reason ?? [], DLQ_REASONS);
  oneOf('--signal', options.signal ?? [], SIGNALS);
  const reasons = setOf(options.reason);
  const tenants = setOf(options.tenant);
  const signals = setOf(options.signal);
  const ids = setOf(options.id);
  const from = options.from === undefined ? undefined : timeNs('--from', options.from, nowMs);
  const to = options.to === undefined ? undefined : timeNs('--to', options.to, nowMs);
  if (from !== undefined && to !== undefined && from >= to) throw new UsageError('--from is not before --to');
  return (letter) => {
    const { reason, tenant, signal, firstSeenNs } = letter.meta;
    return (
      reasons?.has(reason) !== false &&
      tenants?.has(tenant) !== false &&
      signals?.has(signal) !== false &&
      (ids === undefined || ids.has(letterId(letter)) || ids.has(letter.key)) &&
      (from === undefined || firstSeenNs >= from) &&
      (to === undefined || firstSeenNs < to)
    );
  };
}

/** Whether the options leave anything out. */
export function isFiltered({ reason, tenant, signal, id, from, to }: FilterOptions): boolean {
  const lists = [reason, tenant, signal, id];
  return lists.some((list) => list !== undefined && list.length > 0) || from !== undefined || to !== undefined;
}

function setOf(values: readonly string[] | undefined): ReadonlySet<string> | undefined {
  return values === undefined || values.length === 0 ? undefined : new Set(values);
}

/** ns since the epoch of a time, or of so long ago. */
function timeNs(option: string, text: string, nowMs: number): bigint {
  const ago = AGO.exec(text);
  const ms = ago === null ? Date.parse(text) : nowMs - Number(ago[1]) * UNIT_MS[ago[2]!]!;
  if (Number.isNaN(ms)) {
    throw new UsageError(`${option} must be a time, such as 2026-11-21T10:00:00Z, or so long ago, such as 30m`);
  }
  return BigInt(Math.round(ms)) * NS_PER_MS;
}
