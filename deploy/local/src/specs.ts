import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import type { Certificates } from './certificates.ts';
import { brokerName, kafkaArguments } from './kafka.ts';
import { type KafkaSecurity, securityEnv } from './kafka-security.ts';
import { COMPILE_CACHE, ROOT, type StackPaths } from './paths.ts';
import { type Ports, proxiedPorts } from './ports.ts';
import { answers, listens } from './probe.ts';
import type { ProcessSpec } from './processes.ts';

/** What the processes of a stack are made from. */
export interface StackParts {
  readonly paths: StackPaths;
  readonly ports: Ports;
  readonly certificates: Certificates;
  readonly kafkaLibs: string;
  readonly kafkaSecurity: KafkaSecurity | undefined;
  readonly envoyBinary: string | undefined;
}

export const DATABASE = 'weir';

/**
 * Of the services, as in deploy/docker/Dockerfile. Young objects get 4 MiB a half instead of 16: most of what lives for long is no object
 * but a buffer (docs/adr/0024).
 */
const NODE_FLAGS = ['--max-semi-space-size=4'];

/** Names the data directory in the environment of each process, so that leftovers can be told from strangers. */
export const STACK_VARIABLE = 'WEIR_STACK';

/** Settings that ingestctl and the services share; each reads its own. */
export function commonEnv({ paths, ports, kafkaSecurity }: StackParts): Record<string, string> {
  const { kafka, clickhouse } = proxiedPorts(ports, process.env);
  return {
    [STACK_VARIABLE]: paths.dataDir,
    // A process that finds its sources there holds 20 to 28 MiB less than one that has to strip their types, and starts in half the time.
    NODE_COMPILE_CACHE: COMPILE_CACHE,
    WEIR_KAFKA_BROKERS: kafka.map((port) => `127.0.0.1:${port}`).join(','),
    WEIR_KAFKA_REPLICATION_FACTOR: String(ports.brokers.length),
    WEIR_CLICKHOUSE_URL: `http://127.0.0.1:${clickhouse}`,
    WEIR_CLICKHOUSE_DATABASE: DATABASE,
    WEIR_KEY_PEPPER_FILE: paths.pepper,
    ...(kafkaSecurity === undefined ? {} : securityEnv(kafkaSecurity)),
  };
}

/** Kafka and ClickHouse. */
export function storeSpecs(parts: StackParts): ProcessSpec[] {
  const { paths, ports, kafkaLibs } = parts;
  const env = commonEnv(parts);
  return [
    ...ports.brokers.map(({ client }, index) => {
      const name = brokerName(index);
      return {
        name,
        command: 'java',
        args: kafkaArguments(kafkaLibs, paths, name),
        env,
        logFile: join(paths.logs, `${name}.log`),
        ready: () => listens(client),
      };
    }),
    {
      name: 'clickhouse',
      command: process.execPath,
      args: [
        join(ROOT, 'deploy/local/src/clickhouse/main.ts'),
        paths.clickhouseData,
        paths.clickhouseTmp,
        String(ports.clickhouse),
      ],
      env,
      logFile: join(paths.logs, 'clickhouse.log'),
      ready: () => answers(`http://127.0.0.1:${ports.clickhouse}/ping`),
    },
  ];
}

/** The services of every track, downstream first: sinks, normalizers, edges. */
export function serviceSpecs(parts: StackParts): ProcessSpec[][] {
  const { certificates, ports } = parts;
  const tracks = Object.entries(ports.tracks);
  return [
    tracks.flatMap(([track, { sinks }]) =>
      sinks.map((admin, index) => service(parts, { name: 'sink', track, index }, admin, {})),
    ),
    tracks.flatMap(([track, { normalizers }]) =>
      normalizers.map((admin, index) => service(parts, { name: 'normalizer', track, index }, admin, {})),
    ),
    tracks.flatMap(([track, { edges }]) =>
      edges.map(({ grpc, http, admin }, index) =>
        service(parts, { name: 'edge', track, index }, admin, {
          WEIR_GRPC_LISTEN: `127.0.0.1:${grpc}`,
          WEIR_HTTP_LISTEN: `127.0.0.1:${http}`,
          WEIR_TLS_CERT_FILE: certificates.serverCert,
          WEIR_TLS_KEY_FILE: certificates.serverKey,
          WEIR_TLS_CLIENT_CA_FILE: certificates.ca,
        }),
      ),
    ),
  ];
}

/** One process of a service in a track. */
interface Instance {
  readonly name: string;
  readonly track: string;
  /** From 0. */
  readonly index: number;
}

function service(
  parts: StackParts,
  { name, track, index }: Instance,
  admin: number,
  env: Record<string, string>,
): ProcessSpec {
  return {
    name: serviceName(name, track, index),
    command: process.execPath,
    args: [...NODE_FLAGS, join(ROOT, 'services', name, 'src/main.ts')],
    env: {
      ...commonEnv(parts),
      WEIR_TRACK: track,
      WEIR_ADMIN_LISTEN: `127.0.0.1:${admin}`,
      WEIR_STATE_DIR: parts.paths.state(index === 0 ? name : `${name}-${index + 1}`, track),
      ...env,
    },
    logFile: join(parts.paths.logs, `${serviceName(name, track, index)}.log`),
    ready: () => answers(`http://127.0.0.1:${admin}/readyz`),
  };
}

/** `edge` in track v1, `edge-v2` in another; the second process of each is `edge-2`, `edge-v2-2`. */
export function serviceName(name: string, track: string, index = 0): string {
  const first = track === 'v1' ? name : `${name}-${track}`;
  return index === 0 ? first : `${first}-${index + 1}`;
}

export function envoySpec(parts: StackParts, binary: string): ProcessSpec {
  const { paths, ports } = parts;
  // A thread for each edge: one is enough for what an edge takes.
  const edges = Object.values(ports.tracks).reduce((sum, track) => sum + track.edges.length, 0);
  const tracks = Object.keys(ports.tracks).length;
  const threads = String(Math.max(1, Math.min(edges - tracks + 1, availableParallelism())));
  const concurrency = ['--concurrency', threads];
  return {
    name: 'envoy',
    command: binary,
    args: ['--config-path', paths.envoyConfig, '--log-level', 'warning', ...concurrency, '--use-dynamic-base-id'],
    env: commonEnv(parts),
    logFile: join(paths.logs, 'envoy.log'),
    ready: () => answers(`http://127.0.0.1:${ports.envoyAdmin}/ready`),
  };
}
