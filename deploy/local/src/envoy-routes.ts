import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { parse, stringify } from 'yaml';
import { ROOT } from './paths.ts';
import type { Ports } from './ports.ts';

const TEMPLATE = join(ROOT, 'deploy/envoy/routes/otlp.yaml');
/** What `ingestctl rollout` marks its routes with. */
const ROLLOUT = 'weir.rollout';

interface Route {
  readonly name: string;
  readonly metadata?: { readonly filter_metadata?: Readonly<Record<string, { readonly to?: string }>> };
}

interface RoutesFile {
  readonly resources: { readonly virtual_hosts: { routes: Route[] }[] }[];
}

/**
 * Writes deploy/envoy/routes/otlp.yaml for a stack, without the tracks that it does not run. Tenants that were shifted to a track that
 * it runs stay so.
 */
export function writeRoutes(path: string, ports: Ports): void {
  const file = parse(readFileSync(TEMPLATE, 'utf8')) as RoutesFile;
  const runs = (track: string | undefined) => track !== undefined && Object.keys(ports.tracks).includes(track);
  const host = file.resources[0]!.virtual_hosts[0]!;
  const own = host.routes.filter(({ name }) => runs(name.split('-')[0]));
  const shifted = shiftedIn(path).filter((route) => runs(route.metadata?.filter_metadata?.[ROLLOUT]?.to));
  const first = own.findIndex(({ name }) => name.startsWith('v1-'));
  host.routes = [...own.slice(0, first), ...shifted, ...own.slice(first)];
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const partial = `${dirname(path)}.new`;
  writeFileSync(partial, stringify(file, { aliasDuplicateObjects: false, lineWidth: 0 }), { mode: 0o600 });
  renameSync(partial, path);
}

function shiftedIn(path: string): Route[] {
  if (!existsSync(path)) return [];
  try {
    const file = parse(readFileSync(path, 'utf8')) as RoutesFile;
    const routes = file.resources[0]?.virtual_hosts[0]?.routes ?? [];
    return routes.filter((route) => route.metadata?.filter_metadata?.[ROLLOUT] !== undefined);
  } catch {
    return [];
  }
}
