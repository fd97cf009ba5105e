import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { brokerName } from './kafka.ts';
import type { KafkaClientSecurity } from './kafka-security.ts';
import type { Ports } from './ports.ts';
import { DATABASE, serviceName } from './specs.ts';
import type { LocalKeys } from './tenants.ts';

/**
 * DIR/local.json: what tools may rely on. Services of tracks other than v1 are named with their track, further processes of one
 * with their number. `edge` is the first edge of track v1.
 */
export interface LocalFile {
  readonly otlp: { readonly grpc: string; readonly http: string };
  readonly edge: { readonly grpc: string; readonly http: string };
  readonly clickhouse: { readonly url: string; readonly database: string };
  readonly kafka: { readonly brokers: readonly string[]; readonly security?: KafkaClientSecurity };
  readonly ca: string;
  readonly tenants: LocalKeys;
  readonly services: Readonly<Record<string, { readonly pid: number; readonly admin: string }>>;
  readonly processes: Readonly<Record<string, number>>;
  readonly tracks: readonly string[];
  /** Envoy's admin endpoint, the file of its routes, and its program; left out where there is no Envoy. */
  readonly envoy?: { readonly admin: string; readonly routes: string; readonly binary: string };
}

/** What the file says, given the processes that run. */
export function describeStack(
  ports: Ports,
  stack: {
    readonly ca: string;
    readonly keys: LocalKeys;
    readonly envoy: { readonly routes: string; readonly binary: string } | undefined;
    readonly kafka?: KafkaClientSecurity | undefined;
  },
  pids: ReadonlyMap<string, number>,
): LocalFile {
  const v1 = ports.tracks.v1;
  const first = v1?.edges[0];
  const edge = { grpc: `https://localhost:${first?.grpc}`, http: `https://localhost:${first?.http}` };
  const front = { grpc: `https://localhost:${ports.otlpGrpc}`, http: `https://localhost:${ports.otlpHttp}` };
  const services: Record<string, { pid: number; admin: string }> = {};
  for (const [track, own] of Object.entries(ports.tracks)) {
    const admins = { edge: own.edges.map(({ admin }) => admin), normalizer: own.normalizers, sink: own.sinks };
    for (const [name, ports] of Object.entries(admins)) {
      for (const [index, port] of ports.entries()) {
        const full = serviceName(name, track, index);
        const pid = pids.get(full);
        if (pid !== undefined) services[full] = { pid, admin: `http://127.0.0.1:${port}` };
      }
    }
  }
  const processes: Record<string, number> = {};
  for (const name of [...ports.brokers.map((_, index) => brokerName(index)), 'clickhouse', 'envoy']) {
    const pid = pids.get(name);
    if (pid !== undefined) processes[name] = pid;
  }
  return {
    otlp: stack.envoy === undefined ? edge : front,
    edge,
    clickhouse: { url: `http://127.0.0.1:${ports.clickhouse}`, database: DATABASE },
    kafka: {
      brokers: ports.brokers.map(({ client }) => `127.0.0.1:${client}`),
      ...(stack.kafka === undefined ? {} : { security: stack.kafka }),
    },
    ca: stack.ca,
    tenants: stack.keys,
    services,
    processes,
    tracks: Object.keys(ports.tracks),
    ...(stack.envoy === undefined ? {} : { envoy: { admin: `http://127.0.0.1:${ports.envoyAdmin}`, ...stack.envoy } }),
  };
}

/** Writes the file as a whole or not at all; it holds keys, so only its owner may read it. */
export function writeLocalFile(path: string, content: LocalFile): void {
  const partial = `${path}.new`;
  writeFileSync(partial, `${JSON.stringify(content, null, 2)}\n`, { mode: 0o600 });
  renameSync(partial, path);
}

export function readLocalFile(path: string): LocalFile {
  return JSON.parse(readFileSync(path, 'utf8')) as LocalFile;
}
