import {
  brokerList,
  byteSize,
  type ConfigOf,
  defineConfig,
  durationMs,
  flag,
  hostPort,
  setting,
  wholeNumber,
} from '@weir/process';
import { isTrack } from '@weir/records';
import { pepperFault } from '@weir/tenancy';
import { z } from 'zod';
import { LIMITS } from './limits.ts';

const pepper = z.string().superRefine((text, context) => {
  const fault = pepperFault(text);
  if (fault !== undefined) context.addIssue({ code: 'custom', message: fault });
});

/** The edge's settings. */
export const EDGE_CONFIG = defineConfig({
  track: setting(
    'WEIR_TRACK',
    z.string().refine(isTrack, 'must be v1, v2, …').default('v1'),
    'Track whose raw topic is written.',
  ),
  grpcListen: setting(
    'WEIR_GRPC_LISTEN',
    z.string().default('0.0.0.0:4317').pipe(hostPort),
    'Where OTLP/gRPC is served.',
  ),
  httpListen: setting(
    'WEIR_HTTP_LISTEN',
    z.string().default('0.0.0.0:4318').pipe(hostPort),
    'Where OTLP/HTTP is served.',
  ),
  adminListen: setting(
    'WEIR_ADMIN_LISTEN',
    z.string().default('0.0.0.0:9464').pipe(hostPort),
    'Where /metrics, /healthz and /readyz are served.',
  ),
  stateDir: setting('WEIR_STATE_DIR', z.string().default('/var/lib/weir'), 'Where the last-known tenants are kept.'),
  tls: {
    certFile: setting('WEIR_TLS_CERT_FILE', z.string(), 'Certificate chain, PEM; read again when it changes.'),
    keyFile: setting('WEIR_TLS_KEY_FILE', z.string(), 'Private key, PEM; read again when it changes.'),
    clientCaFile: setting(
      'WEIR_TLS_CLIENT_CA_FILE',
      z.string().optional(),
      'Client certificates are asked for and verified against this CA.',
    ),
    clientRequired: setting(
      'WEIR_TLS_CLIENT_REQUIRED',
      z.string().default('false').pipe(flag),
      'Refuse clients without a valid certificate: then only Envoy can connect.',
    ),
  },
  pepper: setting('WEIR_KEY_PEPPER', pepper, 'Secret under which keys are hashed, at least 32 bytes.', {
    secret: true,
  }),
  kafka: {
    brokers: setting('WEIR_KAFKA_BROKERS', brokerList, 'Kafka brokers.'),
    deadlineMs: setting(
      'WEIR_EDGE_PRODUCE_DEADLINE',
      z.string().default('5s').pipe(durationMs),
      'An export that Kafka has not acknowledged after this long is answered 503.',
    ),
  },
  body: {
    bytesMax: setting(
      'WEIR_EDGE_BODY_BYTES_MAX',
      z.string().default('64MiB').pipe(byteSize),
      'Largest body, before and after decompression; of JSON at most 16MiB.',
    ),
  },
  queue: {
    bytesMax: setting(
      'WEIR_EDGE_QUEUE_BYTES_MAX',
      z.string().default('192MiB').pipe(byteSize),
      'Bodies that are being received or wait for Kafka hold at most this much; at least three of the largest bodies.',
    ),
    itemsMax: setting(
      'WEIR_EDGE_QUEUE_ITEMS_MAX',
      z.string().default('1000000').pipe(wholeNumber(1, 100_000_000)),
      'Items that wait for Kafka.',
    ),
  },
});

/** Faults between the edge's settings. */
export function edgeConfigFaults({ body, queue }: ConfigOf<typeof EDGE_CONFIG>): readonly string[] {
  const least = body.bytesMax * LIMITS.queueBodiesMin;
  if (queue.bytesMax >= least) return [];
  return [
    `WEIR_EDGE_QUEUE_BYTES_MAX: must be at least ${LIMITS.queueBodiesMin} times WEIR_EDGE_BODY_BYTES_MAX, here ${least}B: ` +
      'a body as large as is allowed, and the pieces it is split into, would never be taken',
  ];
}
