import { systemClock } from '@weir/pipeline';
import { stringify } from 'yaml';
import { type Context, UsageError } from '../context.ts';
import { printRows } from '../output.ts';
import { readDirectory } from '../tenants-topic.ts';
import { takenRoutes, untilTaken } from './envoy-admin.ts';
import {
  parseRoutes,
  type RoutesFile,
  renderRoutes,
  type Shift,
  shiftsIn,
  tracksIn,
  versionOf,
  withShifts,
} from './routes-file.ts';
import { envoyFault } from './validate-routes.ts';

/** Where Envoy's routes are, and which Envoys follow them. */
export interface RolloutOptions {
  readonly routes?: string;
  readonly admin: readonly string[];
  readonly envoy?: string;
  readonly output?: string;
}

export interface RolloutSetOptions extends RolloutOptions {
  readonly to: string;
  readonly percent: string;
}

/** Envoy tries one route after the other for each request: four for each key. */
export const SHIFTED_TENANTS_MAX = 32;
export const SHIFTED_KEYS_MAX = 64;
const TAKEN_MS = 10_000;
const CONFIG_MAP = 'weir-envoy-routes';

/** Sends a part of a tenant's exports to another track. */
export async function rolloutSet(
  context: Context,
  tenant: string,
  options: RolloutSetOptions,
  signal: AbortSignal,
): Promise<number> {
  const percent = Number(options.percent);
  if (!Number.isInteger(percent) || percent < 0 || percent > 100) {
    throw new UsageError('--percent must be a whole number from 0 to 100');
  }
  checkOutput(options);
  if (percent === 0) return rolloutBack(context, tenant, options, signal);
  const { file, path, text } = readRoutes(context, options);
  const tracks = tracksIn(file);
  const others = tracks.slice(0, -1);
  if (!others.includes(options.to)) {
    throw new UsageError(
      others.length === 0
        ? `${path} has no track beside ${tracks[0]}`
        : `--to must be ${others.join(' or ')}; to ${tracks.at(-1)} all go that are not shifted: ingestctl rollout back ${tenant}`,
    );
  }
  const prefixes = await prefixesOf(context, tenant, signal);
  const shifts = [
    ...shiftsIn(file).filter((shift) => shift.tenant !== tenant),
    { tenant, to: options.to, percent, prefixes },
  ];
  const keys = shifts.reduce((sum, shift) => sum + shift.prefixes.length, 0);
  if (shifts.length > SHIFTED_TENANTS_MAX || keys > SHIFTED_KEYS_MAX) {
    throw new UsageError(
      `at most ${SHIFTED_TENANTS_MAX} tenants with ${SHIFTED_KEYS_MAX} keys can be shifted at once, and these would be ${shifts.length} with ${keys}: Envoy tries four routes for each key`,
    );
  }
  return change(context, options, { path, text, changed: withShifts(file, shifts) }, signal);
}

/** Sends a tenant's exports where all go again. Needs nothing but the file. */
export async function rolloutBack(
  context: Context,
  tenant: string,
  options: RolloutOptions,
  signal: AbortSignal,
): Promise<number> {
  checkOutput(options);
  const { file, path, text } = readRoutes(context, options);
  const shifts = shiftsIn(file);
  if (!shifts.some((shift) => shift.tenant === tenant)) {
    context.outside.err(`${tenant} is not shifted\n`);
    // Safe to run twice; but for a manifest, which is to be applied whatever was there.
    if (options.output === undefined) return 0;
  }
  const changed = withShifts(
    file,
    shifts.filter((shift) => shift.tenant !== tenant),
  );
  return change(context, options, { path, text, changed }, signal);
}

/** Shows who is shifted, and whether the Envoys have it so; status 1 where one has not. */
export async function rolloutStatus(context: Context, options: RolloutOptions, signal: AbortSignal): Promise<number> {
  const { file } = readRoutes(context, options);
  const shifts = shiftsIn(file);
  // Without Kafka the file still says who is shifted.
  const directory =
    shifts.length === 0 ? undefined : await readDirectory(context.kafkaLog(), signal).catch(() => undefined);
  const rows = shifts.map(({ tenant, to, percent, prefixes }) => {
    const keys = directory?.spec(tenant)?.keys.filter(({ revoked }) => revoked !== true);
    const missing = keys?.filter(({ prefix }) => !prefixes.includes(prefix)).length ?? '?';
    return [tenant, to, percent, prefixes.length, missing];
  });
  printRows(
    context.outside,
    context.options.json === true,
    ['tenant', 'to', 'percent', 'keys', 'keys not shifted'],
    rows,
  );
  let status = 0;
  for (const admin of adminsOf(context, options)) {
    const { version, refused } = await takenRoutes(admin);
    const same = version === (versionOf(file) ?? '') && refused === undefined;
    if (!same) status = 1;
    const state = same
      ? 'has these routes'
      : `has other routes${refused === undefined ? '' : `, it refused: ${refused}`}`;
    context.outside.err(`Envoy at ${admin} ${state}\n`);
  }
  return status;
}

async function change(
  context: Context,
  options: RolloutOptions,
  { path, text, changed }: { readonly path: string; readonly text: string; readonly changed: RoutesFile },
  signal: AbortSignal,
): Promise<number> {
  const { outside } = context;
  const binary = options.envoy ?? outside.env.WEIR_ENVOY_BINARY ?? context.envoy?.binary ?? 'envoy';
  const fault = await envoyFault(binary, changed);
  if (fault === null && options.envoy !== undefined) throw new UsageError(`there is no ${binary}`);
  if (typeof fault === 'string') throw new Error(`Envoy would refuse these routes, nothing was changed: ${fault}`);
  const rendered = renderRoutes(changed);
  if (options.output === 'configmap') {
    outside.out(manifest(rendered.text));
    return 0;
  }
  if (readText(context, path) !== text) throw new Error(`${path} has changed meanwhile; try again`);
  outside.writeFile(path, rendered.text);
  if (fault === null) outside.err('the routes were not shown to Envoy before: there is no binary of it here\n');
  print(context, shiftsIn(changed));
  const admins = adminsOf(context, options);
  if (admins.length === 0) outside.err('no Envoy was asked whether it has taken them: give --admin\n');
  let status = 0;
  for (const admin of admins) {
    const taken = await untilTaken(admin, rendered.version, systemClock, TAKEN_MS, signal);
    if (taken.version === rendered.version) outside.err(`Envoy at ${admin} has taken them\n`);
    else {
      outside.err(`Envoy at ${admin} has not taken them: ${taken.refused ?? `not within ${TAKEN_MS / 1_000} s`}\n`);
      status = 1;
    }
  }
  return status;
}

function print(context: Context, shifts: readonly Shift[]): void {
  const rows = shifts.map(({ tenant, to, percent, prefixes }) => [tenant, to, percent, prefixes.length]);
  printRows(context.outside, context.options.json === true, ['tenant', 'to', 'percent', 'keys'], rows);
}

function manifest(text: string): string {
  const metadata = { name: CONFIG_MAP };
  return stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata, data: { 'otlp.yaml': text } }, { lineWidth: 0 });
}

function checkOutput({ output }: RolloutOptions): void {
  if (output !== undefined && output !== 'configmap') throw new UsageError('--output must be configmap');
}

/** Prefixes of a tenant's keys that are valid. One that another tenant has as well would shift that one too. */
async function prefixesOf(context: Context, tenant: string, signal: AbortSignal): Promise<readonly string[]> {
  const directory = await readDirectory(context.kafkaLog(), signal);
  const spec = directory.spec(tenant);
  if (spec === undefined) throw new UsageError(`there is no tenant ${tenant}`);
  const prefixes = spec.keys.filter(({ revoked }) => revoked !== true).map(({ prefix }) => prefix);
  if (prefixes.length === 0) throw new UsageError(`${tenant} has no key that is valid`);
  for (const name of directory.names()) {
    const shared =
      name === tenant ? undefined : directory.spec(name)?.keys.find(({ prefix }) => prefixes.includes(prefix));
    if (shared !== undefined) throw new Error(`${name} has a key with the prefix ${shared.prefix} as well`);
  }
  return prefixes;
}

function readRoutes(context: Context, { routes }: RolloutOptions) {
  const path = routes ?? context.outside.env.WEIR_ENVOY_ROUTES ?? context.envoy?.routes;
  if (path === undefined) {
    throw new UsageError("Envoy's routes are not known: give --routes, set WEIR_ENVOY_ROUTES, or start a local stack");
  }
  const text = readText(context, path);
  return { path, text, file: parseRoutes(path, text) };
}

function readText(context: Context, path: string): string {
  try {
    return context.outside.readFile(path);
  } catch {
    throw new UsageError(`${path} cannot be read`);
  }
}

function adminsOf(context: Context, { admin }: RolloutOptions): readonly string[] {
  if (admin.length > 0) return admin.map((url) => url.replace(/\/$/, ''));
  return context.envoy === undefined ? [] : [context.envoy.admin];
}
