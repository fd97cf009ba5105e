import { isDeepStrictEqual } from 'node:util';

/** Columns of a row, here and there; undefined where a side has no such row. */
export interface PairedRow {
  readonly kind: 'different' | 'only in live' | 'only in the shadow';
  /** Those that differ; of a row that one side has alone, those that tell it. */
  readonly columns: Readonly<Record<string, { readonly live?: unknown; readonly shadow?: unknown }>>;
}

/** One difference that was found. */
export interface Example extends PairedRow {
  readonly table: string;
  readonly tenant: string;
  readonly partition: number;
  readonly offset: number;
}

type Row = Readonly<Record<string, unknown>>;

/** What tells a row that stands alone. */
const TELLING = ['Timestamp', 'TimeUnix', 'TraceId', 'SpanId', 'SpanName', 'Body', 'MetricName', 'MetricUnit', 'Value'];
const NOT_SHOWN = new Set(['live', 'RetentionDays']);

/** Pairs the rows of one raw record that are left over, each with the one that it is most like; for showing only. */
export function pairRows(rows: readonly (Row & { readonly live: number })[]): PairedRow[] {
  const live = rows.filter((row) => Number(row.live) === 1);
  const shadow = rows.filter((row) => Number(row.live) === 0);
  const pairs: PairedRow[] = [];
  for (const mine of live) {
    const distances = shadow.map((row) => differing(mine, row).length);
    const at = distances.indexOf(Math.min(...distances));
    const [other] = at < 0 ? [] : shadow.splice(at, 1);
    if (other === undefined) pairs.push({ kind: 'only in live', columns: telling(mine, 'live') });
    else {
      const columns = differing(mine, other).map((name) => [name, { live: mine[name], shadow: other[name] }]);
      pairs.push({ kind: 'different', columns: Object.fromEntries(columns) });
    }
  }
  for (const row of shadow) pairs.push({ kind: 'only in the shadow', columns: telling(row, 'shadow') });
  return pairs;
}

function differing(a: Row, b: Row): string[] {
  return Object.keys(a).filter((name) => !NOT_SHOWN.has(name) && !isDeepStrictEqual(a[name], b[name]));
}

function telling(row: Row, side: 'live' | 'shadow'): PairedRow['columns'] {
  const told = TELLING.filter((name) => row[name] !== undefined && row[name] !== '');
  return Object.fromEntries(told.map((name) => [name, { [side]: row[name] }]));
}
