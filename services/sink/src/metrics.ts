import { LATENCY_BUCKETS_S, type MetricTable } from '@weir/telemetry';

/** Everything the sink counts and measures. */
export const SINK_METRICS = {
  rows: { type: 'counter', name: 'weir_sink_inserted_rows_total', help: 'Rows inserted.', labels: ['table'] },
  bytes: {
    type: 'counter',
    name: 'weir_sink_inserted_bytes_total',
    help: 'Compressed bytes of the Native blocks inserted.',
    labels: ['table'],
  },
  inserts: { type: 'counter', name: 'weir_sink_inserts_total', help: 'Inserts that succeeded.', labels: ['table'] },
  insertFailures: {
    type: 'counter',
    name: 'weir_sink_insert_failures_total',
    help: 'Inserts that failed; retryable ones are tried again.',
    labels: ['table', 'retryable'],
  },
  viewsPassedOver: {
    type: 'counter',
    name: 'weir_sink_views_passed_over_total',
    help: 'Inserts that were taken only because a materialized view that throws on their rows was passed over: it has none of them.',
    labels: ['table'],
  },
  insertSeconds: {
    type: 'histogram',
    name: 'weir_sink_insert_seconds',
    help: 'Time of an insert that succeeded.',
    labels: ['table'],
    buckets: LATENCY_BUCKETS_S,
  },
  batchRows: {
    type: 'histogram',
    name: 'weir_sink_batch_rows',
    help: 'Rows of a batch.',
    labels: [],
    buckets: [100, 1_000, 10_000, 50_000, 100_000, 250_000, 500_000, 1_000_000],
  },
  ageSeconds: {
    type: 'histogram',
    name: 'weir_sink_age_seconds',
    help: 'From the arrival of the oldest export of a batch at the edge until its rows are in ClickHouse.',
    labels: [],
    buckets: [0.25, 0.5, 1, 1.5, 2, 3, 5, 10, 30, 60, 300, 3_600],
  },
  deadLettered: {
    type: 'counter',
    name: 'weir_sink_dead_lettered_records_total',
    help: 'Letters that went to weir.dlq: records that cannot be read, and rows that ClickHouse refuses.',
    labels: ['reason'],
  },
  dlqEvicted: {
    type: 'counter',
    name: 'weir_sink_dlq_evicted_records_total',
    help: 'Letters that weir.dlq let go by its caps of bytes and age, since it was made. Every sink sees the same topic: take max().',
    labels: [],
  },
  dlqHeld: {
    type: 'gauge',
    name: 'weir_sink_dlq_records',
    help: 'Letters that weir.dlq holds. Every sink sees the same topic: take max().',
    labels: [],
  },
  lag: {
    type: 'gauge',
    name: 'weir_sink_lag_records',
    help: 'Records of a rows partition that are not in ClickHouse.',
    labels: ['partition'],
  },
  backlogBytes: { type: 'gauge', name: 'weir_sink_backlog_bytes', help: 'Bytes waiting in the rows log.', labels: [] },
  backlogSeconds: {
    type: 'gauge',
    name: 'weir_sink_backlog_seconds',
    help: 'Backlog at the measured rate; -1 while none is measured.',
    labels: [],
  },
  fill: { type: 'gauge', name: 'weir_sink_fill_ratio', help: 'Backlog over its bound; 1 is full.', labels: [] },
  breakerOpen: {
    type: 'gauge',
    name: 'weir_sink_breaker_open',
    help: '1 while inserts fail, or are being tried again.',
    labels: [],
  },
  bufferedBytes: { type: 'gauge', name: 'weir_sink_buffered_bytes', help: 'Bytes held in memory.', labels: [] },
  partitions: { type: 'gauge', name: 'weir_sink_partitions', help: 'Partitions that this sink owns.', labels: [] },
  takeOvers: {
    type: 'counter',
    name: 'weir_sink_take_overs_total',
    help: 'Partitions taken over, by whether a recorded cut had to be inserted again first.',
    labels: ['cut'],
  },
  buildInfo: {
    type: 'gauge',
    name: 'weir_sink_build_info',
    help: '1, labelled with the version.',
    labels: ['version', 'track'],
  },
} as const satisfies MetricTable;
