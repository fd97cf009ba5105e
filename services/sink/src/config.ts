import {
  byteSizeBetween,
  CLICKHOUSE_CONFIG,
  type ConfigOf,
  type ConfigSource,
  clickhouseConfigFaults,
  defineConfig,
  durationBetween,
  durationMs,
  hostPort,
  KAFKA_CONFIG,
  kafkaConfigFaults,
  setting,
  wholeNumber,
} from '@weir/process';
import { isTrack } from '@weir/records';
import { z } from 'zod';
import { LIMITS } from './limits.ts';

/** The sink's settings. */
export const SINK_CONFIG = defineConfig({
  track: setting(
    'WEIR_TRACK',
    z.string().refine(isTrack, 'must be v1, v2, …').default('v1'),
    'Track whose rows are stored.',
  ),
  adminListen: setting(
    'WEIR_ADMIN_LISTEN',
    z.string().default('0.0.0.0:9464').pipe(hostPort),
    'Where /metrics, /healthz and /readyz are served.',
  ),
  kafka: KAFKA_CONFIG,
  clickhouse: CLICKHOUSE_CONFIG,
  batch: {
    ageMsMax: setting(
      'WEIR_SINK_BATCH_AGE',
      z.string().default('1s').pipe(durationMs),
      'Records are inserted when the first has waited this long, with what else there is; at the latest after twice that where another insert is under way.',
    ),
    bytesMax: setting(
      'WEIR_SINK_BATCH_BYTES',
      z.string().default('16MiB').pipe(byteSizeBetween('1KiB', '240MiB')),
      'What is inserted together holds at most this much, compressed and with the headers of its records, 1KiB to 240MiB.',
    ),
    rowsMax: setting(
      'WEIR_SINK_BATCH_ROWS',
      z.string().default('500000').pipe(wholeNumber(1_000, LIMITS.partRowsMax)),
      'What is inserted together holds at most this many rows.',
    ),
  },
  bufferBytesMax: setting(
    'WEIR_SINK_BUFFER_BYTES',
    z.string().default('24MiB').pipe(byteSizeBetween('1KiB', '1TiB')),
    'Batches that fill and batches that are inserted hold about this much together, compressed and with the headers of their records; at least 4MiB for each partition that a sink has.',
  ),
  booksMs: setting(
    'WEIR_SINK_BOOKS_INTERVAL',
    z.string().default('5m').pipe(durationBetween('5s', '1h')),
    'How often one sink of the track compares the books with the tables, 5s to 1h.',
  ),
  backlog: {
    bytesMax: setting(
      'WEIR_SINK_BACKLOG_BYTES_MAX',
      z.string().default('1GiB').pipe(byteSizeBetween('1KiB', '1024TiB')),
      'With more than this waiting in Kafka the sink says that it is full.',
    ),
    secondsMax: setting(
      'WEIR_SINK_BACKLOG_SECONDS_MAX',
      z.string().default('60').pipe(wholeNumber(1, 86_400)),
      'With more than this many seconds of work waiting, at the measured rate, the sink says that it is full.',
    ),
  },
});

/** Faults between the sink's settings. */
export function sinkConfigFaults(
  { kafka, clickhouse }: ConfigOf<typeof SINK_CONFIG>,
  source: ConfigSource,
): readonly string[] {
  return [...kafkaConfigFaults(kafka, source), ...clickhouseConfigFaults(clickhouse, source)];
}
