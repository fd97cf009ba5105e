import { brokerList, defineConfig, hostPort, setting } from '@weir/process';
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
  kafka: {
    brokers: setting('WEIR_KAFKA_BROKERS', brokerList, 'Kafka brokers.'),
  },
});
