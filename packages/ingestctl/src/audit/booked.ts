import type { ClickHouse } from '@weir/clickhouse';
import { SIGNALS, type SignalKind } from '@weir/pipeline';
import { signalOf, TABLES } from '@weir/records';
import { type BySignal, zeros } from './by-signal.ts';

/** Whose books, over which days (UTC, both inclusive), in which database. */
export interface Scope {
  readonly tenant: string;
  readonly from: string;
  readonly to: string;
  readonly database: string;
}

/** Items of each outcome, and of each outcome and reason, as weir_usage has them. */
export async function readBooks(
  clickhouse: ClickHouse,
  scope: Scope,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, ReadonlyMap<string, BySignal>>> {
  const rows = await clickhouse.query<{ Signal: SignalKind; Outcome: string; Reason: string; Items: string }>(
    `SELECT Signal, Outcome, Reason, toString(sum(Items)) AS Items FROM {database: Identifier}.weir_usage
     WHERE TenantId = {tenant: String} AND toDate(Minute, 'UTC') BETWEEN {from: Date} AND {to: Date}
     GROUP BY Signal, Outcome, Reason ORDER BY Outcome, Reason`,
    { ...scope },
    signal,
  );
  const books = new Map<string, Map<string, BySignal>>();
  for (const { Signal, Outcome, Reason, Items } of rows) {
    const reasons = books.get(Outcome) ?? new Map<string, BySignal>();
    books.set(Outcome, reasons);
    const items = reasons.get(Reason) ?? zeros();
    reasons.set(Reason, items);
    items[Signal] += Number(Items);
  }
  return books;
}

/** Rows that the tables hold. */
export async function countRows(clickhouse: ClickHouse, scope: Scope, signal: AbortSignal): Promise<BySignal> {
  const items = zeros();
  for (const kind of SIGNALS) {
    for (const table of TABLES.filter((table) => signalOf(table) === kind)) {
      const [counted] = await clickhouse.query<{ n: string }>(
        `SELECT toString(count()) AS n FROM {database: Identifier}.${table}
         WHERE TenantId = {tenant: String} AND ReceivedDay BETWEEN {from: Date} AND {to: Date}`,
        { ...scope },
        signal,
      );
      items[kind] += Number(counted?.n ?? 0);
    }
  }
  return items;
}
