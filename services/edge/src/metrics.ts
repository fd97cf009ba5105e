import { LATENCY_BUCKETS_S, type MetricTable } from '@weir/telemetry';

/** Everything the edge counts and measures. */
export const EDGE_METRICS = {
  exports: {
    type: 'counter',
    name: 'weir_edge_received_exports_total',
    help: 'Exports received, whatever became of them.',
    labels: ['signal', 'transport'],
  },
  received: {
    type: 'counter',
    name: 'weir_edge_received_items_total',
    help: 'Spans, log records and data points of exports that could be read.',
    labels: ['signal', 'transport'],
  },
  receivedBytes: {
    type: 'counter',
    name: 'weir_edge_received_bytes_total',
    help: 'Bytes of bodies as they came.',
    labels: ['signal', 'transport'],
  },
  accepted: {
    type: 'counter',
    name: 'weir_edge_accepted_items_total',
    help: 'Items answered with success: Kafka has them.',
    labels: ['signal', 'transport', 'tenant'],
  },
  rejected: {
    type: 'counter',
    name: 'weir_edge_rejected_items_total',
    help: 'Items of accepted exports that cannot be stored or are over a limit of their tenant; the answer counts them, and they go to weir.dlq.',
    labels: ['signal', 'reason'],
  },
  refused: {
    type: 'counter',
    name: 'weir_edge_refused_exports_total',
    help: 'Exports refused, by reason.',
    labels: ['signal', 'transport', 'reason'],
  },
  refusedItems: {
    type: 'counter',
    name: 'weir_edge_refused_items_total',
    help: 'Items of exports that could be read and were refused.',
    labels: ['signal', 'reason'],
  },
  booksLost: {
    type: 'counter',
    name: 'weir_edge_books_lost_items_total',
    help: 'Items whose answers could not be told to the books: Kafka did not take them until the edge ended.',
    labels: [],
  },
  requestSeconds: {
    type: 'histogram',
    name: 'weir_edge_request_seconds',
    help: 'From a whole request to its answer.',
    labels: ['signal', 'transport'],
    buckets: LATENCY_BUCKETS_S,
  },
  produceSeconds: {
    type: 'histogram',
    name: 'weir_edge_produce_seconds',
    help: 'Time until Kafka acknowledged a produce.',
    labels: [],
    buckets: LATENCY_BUCKETS_S,
  },
  queueBytes: {
    type: 'gauge',
    name: 'weir_edge_queue_bytes',
    help: 'Bytes being received or waiting for Kafka.',
    labels: [],
  },
  queueItems: { type: 'gauge', name: 'weir_edge_queue_items', help: 'Items waiting for Kafka.', labels: [] },
  queueFill: {
    type: 'gauge',
    name: 'weir_edge_queue_fill_ratio',
    help: 'Queue over its bound; 1 is full.',
    labels: [],
  },
  queueTenants: {
    type: 'gauge',
    name: 'weir_edge_queue_tenants',
    help: 'Tenants that hold something of the queue.',
    labels: [],
  },
  zone: {
    type: 'gauge',
    name: 'weir_edge_zone',
    help: '1 for the zone (open, priority, closed) that the queue and the sinks are in.',
    labels: ['of', 'zone'],
  },
  zoneChanges: {
    type: 'counter',
    name: 'weir_edge_zone_changes_total',
    help: 'Times that the queue or the sinks came into a zone.',
    labels: ['of', 'zone'],
  },
  sinkFill: {
    type: 'gauge',
    name: 'weir_edge_sink_fill_ratio',
    help: 'Fullest sink of the track, as last reported; 0 without a fresh report.',
    labels: [],
  },
  activeSeries: {
    type: 'gauge',
    name: 'weir_edge_active_series',
    help: 'Series of metrics that this edge has seen within the last hour, of the tenants with the most.',
    labels: ['tenant'],
  },
  seriesBytes: {
    type: 'gauge',
    name: 'weir_edge_active_series_bytes',
    help: 'Memory of the active series of all tenants.',
    labels: [],
  },
  tenants: { type: 'gauge', name: 'weir_edge_tenants', help: 'Tenants known.', labels: [] },
  certificateExpiry: {
    type: 'gauge',
    name: 'weir_edge_certificate_expiry_seconds',
    help: 'When the certificate in use ends, s since the epoch.',
    labels: [],
  },
  buildInfo: {
    type: 'gauge',
    name: 'weir_edge_build_info',
    help: '1, labelled with the version.',
    labels: ['version', 'track'],
  },
} as const satisfies MetricTable;
