import type { SignalKind } from '@weir/pipeline';
import type { OracleRequest } from '../oracle/otlp.ts';
import { expectedRows } from './expected-rows.ts';
import type { ExpectedRows, RowOwner } from './row.ts';

const SEVERITY_ERROR = 17;

/** What the edge's scan counts. */
export interface OfficialCounts {
  readonly items: number;
  readonly errorItems: number;
  readonly slowItems: number;
  /** By index of the faults. */
  readonly rejected: readonly number[];
  readonly rejectedItems: number;
}

/**
 * What the official decoder's message says of the counts that the scan makes.
 *
 * @param expected the rows of that message
 * @param of.faults names of what an item may be rejected for, in the order of the scan's
 */
export function officialCounts(
  signal: SignalKind,
  request: OracleRequest<SignalKind>,
  expected: ExpectedRows,
  of: { readonly owner: RowOwner; readonly slowNs: number; readonly faults: readonly string[] },
): OfficialCounts {
  const { rows, invalid } = expected;
  const written = Object.values(rows).reduce((sum, table) => sum + table.length, 0);
  const rejected = of.faults.map((fault) => invalid[fault] ?? 0);
  const rejectedItems = rejected.reduce((sum, count) => sum + count, 0);
  const spans = rows.otel_traces ?? [];
  return {
    items: written + rejectedItems,
    errorItems:
      signal === 'logs'
        ? severeLogs(request as OracleRequest<'logs'>, of.owner)
        : spans.filter(({ StatusCode }) => StatusCode === 'Error').length,
    slowItems: spans.filter(({ Duration }) => Number(Duration) > of.slowNs).length,
    rejected,
    rejectedItems,
  };
}

/** Records at ERROR or above that can be stored. */
function severeLogs({ resourceLogs }: OracleRequest<'logs'>, owner: RowOwner): number {
  let severe = 0;
  for (const { scopeLogs } of resourceLogs) {
    for (const { logRecords } of scopeLogs) {
      for (const record of logRecords) {
        if (record.severityNumber < SEVERITY_ERROR) continue;
        const alone = { resourceLogs: [{ scopeLogs: [{ logRecords: [record] }] }] } as unknown;
        if (expectedRows('logs', alone as OracleRequest<'logs'>, owner).rows.otel_logs !== undefined) severe++;
      }
    }
  }
  return severe;
}
