import { SIGNALS, type SignalKind } from '@weir/pipeline';
import type { TableName } from '@weir/records';
import { type Context, UsageError } from './context.ts';
import { printRows } from './output.ts';

export interface AuditOptions {
  readonly tenant: string;
  readonly from?: string;
  readonly to?: string;
}

const DAY = /^\d{4}-\d{2}-\d{2}$/;

const TABLES_OF: Readonly<Record<SignalKind, readonly TableName[]>> = {
  traces: ['otel_traces'],
  logs: ['otel_logs'],
  metrics: [
    'otel_metrics_gauge',
    'otel_metrics_sum',
    'otel_metrics_histogram',
    'otel_metrics_exponential_histogram',
    'otel_metrics_summary',
  ],
};

interface Booked {
  readonly Signal: string;
  readonly Outcome: string;
  readonly Reason: string;
  readonly Items: string;
}

type BySignal = Record<SignalKind, number>;

/**
 * Prints the books of a tenant for whole days (UTC): what was accepted, what became of it, and what the tables really hold.
 * @returns 1 where accepted is not stored + dead-lettered, or the tables hold another number than the books say
 */
export async function audit(context: Context, options: AuditOptions, signal: AbortSignal): Promise<number> {
  const today = new Date().toISOString().slice(0, 10);
  const from = day(options.from ?? options.to ?? today);
  const to = day(options.to ?? today);
  if (from > to) throw new UsageError('--from is after --to');
  const parameters = { tenant: options.tenant, from, to, database: context.database };
  const clickhouse = context.clickhouse();
  const booked = await clickhouse.query<Booked>(
    `SELECT Signal, Outcome, Reason, toString(sum(Items)) AS Items FROM {database: Identifier}.weir_usage
     WHERE TenantId = {tenant: String} AND toDate(Minute, 'UTC') BETWEEN {from: Date} AND {to: Date}
     GROUP BY Signal, Outcome, Reason ORDER BY Outcome, Reason`,
    parameters,
    signal,
  );
  const inTables = zeros();
  for (const kind of SIGNALS) {
    for (const table of TABLES_OF[kind]) {
      const [counted] = await clickhouse.query<{ n: string }>(
        `SELECT toString(count()) AS n FROM {database: Identifier}.${table}
         WHERE TenantId = {tenant: String} AND ReceivedDay BETWEEN {from: Date} AND {to: Date}`,
        parameters,
        signal,
      );
      inTables[kind] += Number(counted?.n ?? 0);
    }
  }
  const lines = toLines(booked, inTables);
  const headings = ['items', ...SIGNALS];
  printRows(
    context.outside,
    context.options.json === true,
    headings,
    lines.map(([what, items]) => [what, ...SIGNALS.map((kind) => items[kind])]),
  );
  const balanced = lines.filter(([what]) => what.startsWith('difference')).every(([, items]) => isZero(items));
  return balanced ? 0 : 1;
}

type Line = readonly [what: string, items: BySignal];

function toLines(booked: readonly Booked[], inTables: BySignal): readonly Line[] {
  const sums = new Map<string, BySignal>();
  const add = (what: string, row: Booked): BySignal => {
    const items = sums.get(what) ?? zeros();
    sums.set(what, items);
    items[row.Signal as SignalKind] += Number(row.Items);
    return items;
  };
  let dead = zeros();
  for (const row of booked) {
    add(row.Reason === '' ? row.Outcome : `${row.Outcome}: ${row.Reason}`, row);
    if (row.Outcome === 'dead_lettered') dead = add('all dead-lettered', row);
  }
  sums.delete('all dead-lettered');
  const accepted = sums.get('accepted') ?? zeros();
  const stored = sums.get('stored') ?? zeros();
  const others = [...sums].filter(([what]) => what !== 'accepted' && what !== 'stored');
  return [
    ['accepted', accepted],
    ['stored', stored],
    ...others,
    ['rows in the tables', inTables],
    ['difference: accepted - stored - dead-lettered', each((kind) => accepted[kind] - stored[kind] - dead[kind])],
    ['difference: stored - rows in the tables', each((kind) => stored[kind] - inTables[kind])],
  ];
}

function each(value: (kind: SignalKind) => number): BySignal {
  return { traces: value('traces'), logs: value('logs'), metrics: value('metrics') };
}

const zeros = (): BySignal => each(() => 0);

function isZero(items: BySignal): boolean {
  return SIGNALS.every((kind) => items[kind] === 0);
}

function day(text: string): string {
  if (!DAY.test(text) || Number.isNaN(Date.parse(text)))
    throw new UsageError('--from and --to must be days: 2026-01-31');
  return text;
}
