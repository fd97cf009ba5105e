import {
  authorityFaults,
  byteSize,
  byteSizeBetween,
  type ConfigOf,
  type ConfigSource,
  defineConfig,
  durationBetween,
  durationMs,
  flag,
  hostPort,
  KAFKA_CONFIG,
  kafkaConfigFaults,
  setting,
  tlsFileFaults,
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

/** What connections are held to. */
export const CONNECTIONS = defineConfig({
  receiveMib: setting(
    'WEIR_EDGE_GRPC_RECEIVE_MIB',
    z.string().pipe(wholeNumber(1, 256)).optional(),
    'Largest gRPC message as it comes, MiB, 1 to 256 and no more than a body may have; unset: as much as that.',
  ),
  streamsMax: setting(
    'WEIR_EDGE_HTTP2_STREAMS_MAX',
    z.string().default('100').pipe(wholeNumber(1, 1_000_000)),
    `Calls at once on one gRPC connection, 1 to 1000000; on all together ${LIMITS.grpcCallsMax}.`,
  ),
  headerBytesMax: setting(
    'WEIR_EDGE_HEADER_BYTES_MAX',
    z.string().default('16KiB').pipe(byteSizeBetween('4KiB', '256KiB')),
    'Headers of a request, HTTP and gRPC, 4KiB to 256KiB; what has more is cut off.',
  ),
  keepaliveTimeMs: setting(
    'WEIR_EDGE_GRPC_KEEPALIVE_TIME',
    z.string().default('1m').pipe(durationBetween('1s', '1d')),
    'The edge pings a gRPC connection that was silent this long, 1s to 1d.',
  ),
  keepaliveTimeoutMs: setting(
    'WEIR_EDGE_GRPC_KEEPALIVE_TIMEOUT',
    z.string().default('20s').pipe(durationBetween('100ms', '10m')),
    'A gRPC connection that does not answer a ping in this time is closed, 100ms to 10m.',
  ),
  pingIntervalMinMs: setting(
    'WEIR_EDGE_GRPC_PING_INTERVAL_MIN',
    z.string().default('5s').pipe(durationBetween('10ms', '1h')),
    'A gRPC client that pings more often than this between its calls is told to go, 10ms to 1h.',
  ),
  connectionIdleMaxMs: setting(
    'WEIR_EDGE_GRPC_CONNECTION_IDLE_MAX',
    z.string().default('5m').pipe(durationBetween('1s', '1d')),
    'A gRPC connection without calls is closed after this, 1s to 1d.',
  ),
  connectionAgeMaxMs: setting(
    'WEIR_EDGE_GRPC_CONNECTION_AGE_MAX',
    z.string().default('1h').pipe(durationBetween('1s', '7d')),
    'A gRPC connection this old is told to go, give or take a tenth, so that load is spread anew, 1s to 7d.',
  ),
  connectionAgeGraceMs: setting(
    'WEIR_EDGE_GRPC_CONNECTION_AGE_GRACE',
    z.string().default('30s').pipe(durationBetween('1s', '1h')),
    'What a connection that was told to go for its age still has for its calls, 1s to 1h.',
  ),
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
    ...KAFKA_CONFIG,
    deadlineMs: setting(
      'WEIR_EDGE_PRODUCE_DEADLINE',
      z.string().default('5s').pipe(durationMs),
      'An export that Kafka has not acknowledged after this long is answered 503.',
    ),
  },
  async: setting(
    'WEIR_EDGE_ASYNC',
    z.string().default('true').pipe(flag),
    'false, for debugging: each export is produced and answered on its own, and none share a produce.',
  ),
  body: {
    bytesMax: setting(
      'WEIR_EDGE_BODY_BYTES_MAX',
      z.string().default('64MiB').pipe(byteSizeBetween('1KiB', '256MiB')),
      'Largest body, before and after decompression, 1KiB to 256MiB; of JSON at most 16MiB.',
    ),
  },
  connections: CONNECTIONS,
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
export function edgeConfigFaults(config: ConfigOf<typeof EDGE_CONFIG>, source: ConfigSource): readonly string[] {
  const { body, queue, connections } = config;
  const faults = kafkaConfigFaults(config.kafka, source);
  const least = body.bytesMax * LIMITS.queueBodiesMin;
  if (queue.bytesMax < least) {
    faults.push(
      `WEIR_EDGE_QUEUE_BYTES_MAX: must be at least ${LIMITS.queueBodiesMin} times WEIR_EDGE_BODY_BYTES_MAX, here ${least}B: ` +
        'a body as large as is allowed, and the pieces it is split into, would never be taken',
    );
  }
  if ((connections.receiveMib ?? 0) * 1024 ** 2 > body.bytesMax) {
    faults.push(
      `WEIR_EDGE_GRPC_RECEIVE_MIB: must be no more than WEIR_EDGE_BODY_BYTES_MAX, here ${body.bytesMax}B: ` +
        'what is larger would be received and then refused',
    );
  }
  return [...faults, ...tlsFaults(config.tls, source)];
}

function tlsFaults(
  { certFile, keyFile, clientCaFile, clientRequired }: ConfigOf<typeof EDGE_CONFIG>['tls'],
  { readFile }: ConfigSource,
): readonly string[] {
  const own = { certFile, keyFile, caFile: undefined, serverName: undefined };
  const faults = [
    ...tlsFileFaults('WEIR', own, readFile),
    ...authorityFaults('WEIR_TLS_CLIENT_CA_FILE', clientCaFile, readFile),
  ];
  if (clientRequired && clientCaFile === undefined) {
    faults.push('WEIR_TLS_CLIENT_REQUIRED: needs WEIR_TLS_CLIENT_CA_FILE: without it no certificate is asked for');
  }
  return faults;
}
