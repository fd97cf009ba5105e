import { LATENCY_BUCKETS_S, type MetricTable } from '@weir/telemetry';

/** Everything the normalizer counts and measures. */
export const NORMALIZER_METRICS = {
  records: {
    type: 'counter',
    name: 'weir_normalizer_received_records_total',
    help: 'Raw records read.',
    labels: ['signal'],
  },
  repeated: {
    type: 'counter',
    name: 'weir_normalizer_repeated_records_total',
    help: 'Raw records that were a repeated or late append of an edge, and dropped.',
    labels: [],
  },
  items: {
    type: 'counter',
    name: 'weir_normalizer_written_items_total',
    help: 'Spans, log records and data points written as rows.',
    labels: ['signal'],
  },
  renamed: {
    type: 'counter',
    name: 'weir_normalizer_renamed_names_total',
    help: 'Attribute and metric names brought to the newest semantic conventions; what rows share counts once.',
    labels: ['signal'],
  },
  bodyBytes: {
    type: 'counter',
    name: 'weir_normalizer_body_bytes_total',
    help: 'Bytes of the decompressed exports.',
    labels: ['signal'],
  },
  deadLettered: {
    type: 'counter',
    name: 'weir_normalizer_dead_lettered_items_total',
    help: 'Items that went to weir.dlq; a record that cannot be read counts as one.',
    labels: ['reason'],
  },
  transcodeSeconds: {
    type: 'histogram',
    name: 'weir_normalizer_transcode_seconds',
    help: 'Time to turn one batch of exports into blocks, decompression and compression included.',
    labels: [],
    buckets: LATENCY_BUCKETS_S,
  },
  produceSeconds: {
    type: 'histogram',
    name: 'weir_normalizer_produce_seconds',
    help: 'Time until Kafka acknowledged a rows record.',
    labels: [],
    buckets: LATENCY_BUCKETS_S,
  },
  recordRows: {
    type: 'histogram',
    name: 'weir_normalizer_record_rows',
    help: 'Rows of a rows record.',
    labels: [],
    buckets: [1, 10, 100, 1_000, 5_000, 10_000, 50_000, 100_000],
  },
  lag: {
    type: 'gauge',
    name: 'weir_normalizer_lag_records',
    help: 'Records of a raw partition that are not in the rows log.',
    labels: ['partition'],
  },
  backlogBytes: {
    type: 'gauge',
    name: 'weir_normalizer_backlog_bytes',
    help: 'Bytes waiting in the raw log.',
    labels: [],
  },
  backlogSeconds: {
    type: 'gauge',
    name: 'weir_normalizer_backlog_seconds',
    help: 'Backlog at the measured rate; -1 while none is measured.',
    labels: [],
  },
  fill: { type: 'gauge', name: 'weir_normalizer_fill_ratio', help: 'Backlog over its bound; 1 is full.', labels: [] },
  oldestWaiting: {
    type: 'gauge',
    name: 'weir_normalizer_oldest_waiting_seconds',
    help: 'Age of the oldest record that is not in the rows log; 0 below 10 s, and up to 5 % less than it is.',
    labels: [],
  },
  retentionUsed: {
    type: 'gauge',
    name: 'weir_normalizer_retention_used_ratio',
    help: 'That age over how long Kafka keeps the topic, or the bytes of a partition that wait over its bound of bytes; from 1 on Kafka may let go of what is not in the rows log.',
    labels: [],
  },
  breakerOpen: {
    type: 'gauge',
    name: 'weir_normalizer_breaker_open',
    help: '1 while records cannot be written to the rows log, or are being tried again.',
    labels: [],
  },
  partitions: { type: 'gauge', name: 'weir_normalizer_partitions', help: 'Partitions owned.', labels: [] },
  takeOvers: {
    type: 'counter',
    name: 'weir_normalizer_take_overs_total',
    help: 'Fences written: partitions taken over, by assignment or after a doubt.',
    labels: [],
  },
  tenants: { type: 'gauge', name: 'weir_normalizer_tenants', help: 'Tenants known.', labels: [] },
  clientCertificateExpiry: {
    type: 'gauge',
    name: 'weir_normalizer_client_certificate_expiry_seconds',
    help: 'When the files of TLS to a dependency end (cert: the own certificate; ca: its authorities), s since the epoch; of several certificates the next one.',
    labels: ['dependency', 'file'],
  },
  buildInfo: {
    type: 'gauge',
    name: 'weir_normalizer_build_info',
    help: '1, labelled with the version.',
    labels: ['version', 'track'],
  },
} as const satisfies MetricTable;
