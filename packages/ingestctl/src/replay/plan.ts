import type { RawEntry } from '@weir/normalize';
import type { SignalKind } from '@weir/pipeline';
import { signalOf, TABLES, type TableName } from '@weir/records';

/** Whose and which exports of a window are replayed; an empty list: all. */
export interface ReplayFilter {
  readonly tenants: readonly string[];
  readonly signals: readonly SignalKind[];
}

/** What is replayed of one partition. Offsets are inclusive. */
export interface PartitionPlan {
  readonly partition: number;
  readonly first: number;
  readonly last: number;
  /** When the first and the last export of them were received. */
  readonly firstAt: string;
  readonly lastAt: string;
  /** Exports that the filter takes, their items and their bytes, decompressed. Repeated records are counted here, too. */
  readonly records: number;
  readonly items: number;
  readonly bytes: number;
  /** Records that are no exports that can be read: notes of edges, and what the live path dead-letters unread. */
  readonly others: number;
  readonly itemsByTenant: Readonly<Record<string, number>>;
}

/** All that a replay does; the same plan always gives the same batches. */
export interface ReplayPlan {
  readonly id: string;
  readonly track: string;
  readonly filter: ReplayFilter;
  readonly partitions: readonly PartitionPlan[];
  /** The live tables whose rows are made again. */
  readonly tables: readonly TableName[];
  /** First and last day of receipt (UTC), inclusive. */
  readonly days: readonly [string, string];
  /** Partitions of which Kafka has let go of all exports: what they had of the window is not made again. */
  readonly emptied?: readonly number[];
  /** The transcoder that it is made with; replays of before it was written down have none. */
  readonly transcoder?: string;
}

/** Says which partitions are emptied. */
export function emptiedText(partitions: readonly number[]): string {
  return `Kafka has let go of all exports of partition ${partitions.join(', ')}: what was there of the window is not replayed`;
}

/** Whether an export is replayed. */
export function takes(filter: ReplayFilter, meta: { readonly tenant: string; readonly signal: SignalKind }): boolean {
  if (filter.tenants.length > 0 && !filter.tenants.includes(meta.tenant)) return false;
  return filter.signals.length === 0 || filter.signals.includes(meta.signal);
}

/** Items of an entry of the raw log; what is no export counts as one. */
export function itemsOf(entry: RawEntry): number {
  return entry.kind === 'export' ? entry.meta.items : 1;
}

/** The tables that such a replay writes into; the books are never among them. */
export function tablesOf(filter: ReplayFilter): TableName[] {
  return TABLES.filter((table) => {
    const signal = signalOf(table);
    return signal !== undefined && (filter.signals.length === 0 || filter.signals.includes(signal));
  });
}

/** Name of the table that takes the rows of `table`. */
export function shadowTable(id: string, table: string): string {
  return `shadow_${id}_${table}`;
}

/** Totals over all partitions. */
export function totalsOf({ partitions }: Pick<ReplayPlan, 'partitions'>): {
  records: number;
  items: number;
  bytes: number;
} {
  const totals = { records: 0, items: 0, bytes: 0 };
  for (const { records, items, bytes } of partitions) {
    totals.records += records;
    totals.items += items;
    totals.bytes += bytes;
  }
  return totals;
}
