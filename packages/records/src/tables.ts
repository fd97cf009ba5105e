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
