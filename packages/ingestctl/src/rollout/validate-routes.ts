import { spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import type { RoutesFile } from './routes-file.ts';

const VALIDATE_MS = 20_000;
const FILTERS = 'type.googleapis.com/envoy.extensions.filters';

/**
 * Has Envoy itself look at the routes, in a configuration that is made for it: with clusters of the names that they use. Envoy
 * does not look at routes that it follows before it runs.
 *
 * @param binary Envoy's
 * @returns what is wrong, undefined where nothing is, null where there is no such binary
 */
export async function envoyFault(binary: string, file: RoutesFile): Promise<string | undefined | null> {
  const folder = await mkdtemp(join(tmpdir(), 'weir-routes-'));
  try {
    const path = join(folder, 'envoy.yaml');
    await writeFile(path, stringify(bootstrapOf(file), { aliasDuplicateObjects: false }));
    return await run(binary, ['--mode', 'validate', '--config-path', path, '--log-level', 'error']);
  } finally {
    await rm(folder, { recursive: true });
  }
}

function bootstrapOf(file: RoutesFile): object {
  const { '@type': _type, ...routes } = file.resources[0];
  const clusters = new Set(routes.virtual_hosts[0].routes.map(({ route }) => route.cluster));
  const manager = {
    '@type': `${FILTERS}.network.http_connection_manager.v3.HttpConnectionManager`,
    stat_prefix: 'otlp',
    route_config: { ...routes, validate_clusters: true },
    http_filters: [{ name: 'router', typed_config: { '@type': `${FILTERS}.http.router.v3.Router` } }],
  };
  return {
    static_resources: {
      listeners: [
        {
          name: 'otlp',
          address: { socket_address: { address: '127.0.0.1', port_value: 0 } },
          filter_chains: [{ filters: [{ name: 'manager', typed_config: manager }] }],
        },
      ],
      clusters: [...clusters].map((name) => ({ name, type: 'STATIC', load_assignment: { cluster_name: name } })),
    },
  };
}

function run(binary: string, args: readonly string[]): Promise<string | undefined | null> {
  return new Promise((resolve) => {
    const child = spawn(binary, args, { stdio: ['ignore', 'ignore', 'pipe'], timeout: VALIDATE_MS });
    let said = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      if (said.length < 4_096) said += text;
    });
    child.once('error', (error: NodeJS.ErrnoException) => resolve(error.code === 'ENOENT' ? null : error.message));
    child.once('close', (code) => resolve(code === 0 ? undefined : said.trim() || `it ended with ${code}`));
  });
}
