import {
  byteSizeBetween,
  type ConfigOf,
  type ConfigSource,
  defineConfig,
  hostPort,
  KAFKA_CONFIG,
  kafkaConfigFaults,
  setting,
  wholeNumber,
} from '@weir/process';
import { isTrack } from '@weir/records';
import { z } from 'zod';

/** The normalizer's settings. */
export const NORMALIZER_CONFIG = defineConfig({
  track: setting(
    'WEIR_TRACK',
    z.string().refine(isTrack, 'must be v1, v2, …').default('v1'),
    'Track whose exports are normalized.',
  ),
  adminListen: setting(
    'WEIR_ADMIN_LISTEN',
    z.string().default('0.0.0.0:9464').pipe(hostPort),
    'Where /metrics, /healthz and /readyz are served.',
  ),
  stateDir: setting('WEIR_STATE_DIR', z.string().default('/var/lib/weir'), 'Where the last-known tenants are kept.'),
  kafka: KAFKA_CONFIG,
  backlog: {
    bytesMax: setting(
      'WEIR_NORMALIZER_BACKLOG_BYTES_MAX',
      z.string().default('4GiB').pipe(byteSizeBetween('1KiB', '1024TiB')),
      'With more than this of raw exports waiting in Kafka the normalizer says that it is full.',
    ),
    secondsMax: setting(
      'WEIR_NORMALIZER_BACKLOG_SECONDS_MAX',
      z.string().default('120').pipe(wholeNumber(1, 86_400)),
      'With more than this many seconds of work waiting, at the measured rate, the normalizer says that it is full.',
    ),
  },
});

/** Faults between the normalizer's settings. */
export function normalizerConfigFaults(
  { kafka }: ConfigOf<typeof NORMALIZER_CONFIG>,
  source: ConfigSource,
): readonly string[] {
  return kafkaConfigFaults(kafka, source);
}
