import { SIGNALS } from '@weir/pipeline';
import { DLQ_REASONS } from '@weir/records';
import { UsageError } from '../context.ts';
import { oneOf } from '../options.ts';
import { readTime } from '../times.ts';
import { type Letter, letterId } from './letters.ts';

/** Which letters a command is about, as it is given. What is left out leaves nothing out; both times are inclusive. */
export interface FilterOptions {
  readonly reason?: readonly string[];
  readonly tenant?: readonly string[];
  readonly signal?: readonly string[];
  readonly id?: readonly string[];
  readonly from?: string;
  readonly to?: string;
}

export type LetterFilter = (letter: Letter) => boolean;

/**
 * Makes a filter of the options.
 *
 * @throws UsageError where an option is of no use
 */
export function letterFilter(options: FilterOptions, nowNs: bigint): LetterFilter {
  oneOf('--reason', options.reason ?? [], DLQ_REASONS);
  oneOf('--signal', options.signal ?? [], SIGNALS);
  const reasons = setOf(options.reason);
  const tenants = setOf(options.tenant);
  const signals = setOf(options.signal);
  const ids = setOf(options.id);
  const from = options.from === undefined ? undefined : readTime('--from', options.from, nowNs);
  const to = options.to === undefined ? undefined : readTime('--to', options.to, nowNs);
  if (from !== undefined && to !== undefined && from > to) throw new UsageError('--from is after --to');
  return (letter) => {
    const { reason, tenant, signal, firstSeenNs } = letter.meta;
    return (
      reasons?.has(reason) !== false &&
      tenants?.has(tenant) !== false &&
      signals?.has(signal) !== false &&
      (ids === undefined || ids.has(letterId(letter)) || ids.has(letter.key)) &&
      (from === undefined || firstSeenNs >= from) &&
      (to === undefined || firstSeenNs <= to)
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
