import { ITEM_FAULTS } from '@weir/otlp';
import type { SignalKind } from '@weir/pipeline';
import { type ExpectedRows, expectedRows, type OracleRequest, type RowOwner } from '@weir/testkit';

export const OWNER: RowOwner = { tenant: 'fuzz', retentionDays: 30, receivedAtNs: 1_795_237_200_123_456_789n };
export const SLOW_NS = 500_000_000;

/** What the scan counts. */
export interface Counts {
  readonly items: number;
  readonly errorItems: number;
  readonly slowItems: number;
  /** By index of ITEM_FAULTS. */
  readonly rejected: readonly number[];
}

/** What the official decoder's message says of the counts that the scan makes. */
export function officialCounts(signal: SignalKind, request: OracleRequest<SignalKind>, expected: ExpectedRows): Counts {
  const { rows, invalid } = expected;
  const written = Object.values(rows).reduce((sum, table) => sum + table.length, 0);
  const rejected = ITEM_FAULTS.map((fault) => invalid[fault] ?? 0);
  const spans = rows.otel_traces ?? [];
  return {
    items: written + rejected.reduce((sum, count) => sum + count, 0),
    errorItems:
      signal === 'logs'
        ? severeLogs(request as OracleRequest<'logs'>)
        : spans.filter(({ StatusCode }) => StatusCode === 'Error').length,
    slowItems: spans.filter(({ Duration }) => Number(Duration) > SLOW_NS).length,
    rejected,
  };
}

/** Records at ERROR or above that can be stored. */
function severeLogs({ resourceLogs }: OracleRequest<'logs'>): number {
  let severe = 0;
  for (const { scopeLogs } of resourceLogs) {
    for (const { logRecords } of scopeLogs) {
      for (const record of logRecords) {
        if (record.severityNumber < 17) continue;
        const alone = { resourceLogs: [{ scopeLogs: [{ logRecords: [record] }] }] } as unknown;
        if (expectedRows('logs', alone as OracleRequest<'logs'>, OWNER).rows.otel_logs !== undefined) severe++;
      }
    }
  }
  return severe;
}
