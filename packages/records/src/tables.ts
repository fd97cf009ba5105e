import type { SignalKind } from '@weir/pipeline';

/** Every table that a rows record can hold a section for. The index is the wire value: append only. */
export const TABLES = [
  'otel_traces',
  'otel_logs',
  'otel_metrics_gauge',
  'otel_metrics_sum',
  'otel_metrics_histogram',
  'otel_metrics_exponential_histogram',
  'otel_metrics_summary',
  'weir_usage',
] as const;

export type TableName = (typeof TABLES)[number];

/** The signal whose items a table holds; undefined for the books. */
export function signalOf(table: TableName): SignalKind | undefined {
  if (table === 'otel_traces') return 'traces';
  if (table === 'otel_logs') return 'logs';
  return table === 'weir_usage' ? undefined : 'metrics';
}
