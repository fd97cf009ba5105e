import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { EDGE_CONFIG, LIMITS } from '@weir/edge';
import { loadConfig } from '@weir/process';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { REPOSITORY } from './tool-cache.ts';

/** What Envoy and the edge count differently: 32 bytes for each header, and what Envoy adds. */
const HEADER_BYTES = 32;
const ADDED_BYTES = 1_024;

interface Keepalive {
  readonly interval: string;
  readonly timeout: string;
}

interface ConnectionManager {
  readonly max_request_headers_kb: number;
  readonly common_http_protocol_options: {
    readonly idle_timeout: string;
    readonly max_connection_duration: string;
    readonly max_headers_count: number;
  };
  readonly http2_protocol_options: {
    readonly max_concurrent_streams: number;
    readonly connection_keepalive: Keepalive;
  };
}

/** Every value of a key, wherever it stands. */
function valuesOf<T>(tree: unknown, key: string): T[] {
  if (typeof tree !== 'object' || tree === null) return [];
  return Object.entries(tree).flatMap(([name, value]) => [
    ...(name === key ? [value as T] : []),
    ...valuesOf<T>(value, key),
  ]);
}

const envoy = parse(readFileSync(join(REPOSITORY, 'deploy/envoy/envoy.yaml'), 'utf8')) as {
  static_resources: { listeners: unknown; clusters: unknown };
};
const required = {
  WEIR_TLS_CERT_FILE: '/tls.crt',
  WEIR_TLS_KEY_FILE: '/tls.key',
  WEIR_KEY_PEPPER: 'kP2vQ8sT1xZ7bN4mR9wC5yF3gH6jL0dA',
  WEIR_KAFKA_BROKERS: 'kafka:9092',
};

function edge() {
  const loaded = loadConfig(EDGE_CONFIG, { env: required, readFile: () => '' });
  if (!loaded.ok) throw new Error(loaded.faults.join('\n'));
  return loaded.config.connections;
}

const ms = (text: string) => Number.parseFloat(text) * 1_000;

test("Envoy's limits on its clients are no looser than the edge's own", () => {
  const limits = edge();
  const managers = valuesOf<ConnectionManager>(envoy.static_resources.listeners, 'typed_config').filter(
    (config) => config.http2_protocol_options !== undefined,
  );
  expect(managers).toHaveLength(2);
  for (const manager of managers) {
    const { max_connection_duration, idle_timeout, max_headers_count } = manager.common_http_protocol_options;
    const { max_concurrent_streams, connection_keepalive } = manager.http2_protocol_options;
    const counted = manager.max_request_headers_kb * 1_024 + max_headers_count * HEADER_BYTES + ADDED_BYTES;
    expect(counted).toBeLessThanOrEqual(limits.headerBytesMax);
    expect(max_concurrent_streams).toBeLessThanOrEqual(limits.streamsMax);
    expect(ms(max_connection_duration)).toBeLessThanOrEqual(limits.connectionAgeMaxMs);
    expect(ms(idle_timeout)).toBeLessThanOrEqual(limits.connectionIdleMaxMs);
    expect(ms(connection_keepalive.interval)).toBeLessThanOrEqual(limits.keepaliveTimeMs);
    expect(ms(connection_keepalive.timeout)).toBeLessThanOrEqual(limits.keepaliveTimeoutMs);
  }
});

test('Envoy pings the edges no more often than they let clients ping', () => {
  const pings = valuesOf<Keepalive>(envoy.static_resources.clusters, 'connection_keepalive');
  expect(pings.length).toBeGreaterThan(0);
  for (const { interval } of pings) expect(ms(interval)).toBeGreaterThanOrEqual(edge().pingIntervalMinMs);
});

test('an edge gives out no more HTTP requests at once than Envoy makes connections to it', () => {
  const connections = valuesOf<number>(envoy.static_resources.clusters, 'max_connections');
  expect(connections).toHaveLength(4);
  for (const most of connections) expect(LIMITS.httpRequestsMax).toBeLessThanOrEqual(most);
});
