import { DependencyError, systemClock } from '@weir/pipeline';
import { stringify } from 'yaml';
import { agreed, checkAskable } from '../agreed.ts';
import { type Context, UsageError } from '../context.ts';
import { longSignal } from '../long-signal.ts';
import { printRows } from '../output.ts';
import { Refused } from '../refused.ts';
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
  readonly dryRun?: boolean;
  readonly yes?: boolean;
}

/** Whether an Envoy has the routes of the file. */
interface EnvoyState {
  readonly admin: string;
  readonly hasThem: boolean;
  /** It does not answer. */
  readonly isSilent?: true;
  /** Why not, in Envoy's words. */
  readonly refused?: string;
}

export interface RolloutSetOptions extends RolloutOptions {
  readonly to: string;
  readonly percent: string;
}

/** Envoy tries one route after the other for each request: four for each key. */
export const SHIFTED_TENANTS_MAX = 32;
export const SHIFTED_KEYS_MAX = 64;
const TAKEN_MS = 10_000;
const NOT_ASKED = 'no Envoy was asked whether it has taken them: give --admin\n';
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
  checkWriting(context, options);
  if (percent === 0) return rolloutBack(context, tenant, options);
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
    throw new Refused(
      `at most ${SHIFTED_TENANTS_MAX} tenants with ${SHIFTED_KEYS_MAX} keys can be shifted at once, and these would be ${shifts.length} with ${keys}: Envoy tries four routes for each key`,
    );
  }
  return change(context, options, { path, text, changed: withShifts(file, shifts) });
}

/** Sends a tenant's exports where all go again. Needs nothing but the file. */
export async function rolloutBack(context: Context, tenant: string, options: RolloutOptions): Promise<number> {
  checkWriting(context, options);
  const { file, path, text } = readRoutes(context, options);
  const shifts = shiftsIn(file);
  // Safe to run twice; but for a manifest, which is to be applied whatever was there.
  if (!shifts.some((shift) => shift.tenant === tenant) && options.output === undefined) {
    if (context.options.json !== true) context.outside.out(`${tenant} is not shifted: nothing to do\n`);
    else print(context, shifts, { changed: false });
    return 0;
  }
  const changed = withShifts(
    file,
    shifts.filter((shift) => shift.tenant !== tenant),
  );
  return change(context, options, { path, text, changed });
}

/** Shows who is shifted, and whether the Envoys have it so; status 1 where one has not, or none was asked about shifts. */
export async function rolloutStatus(context: Context, options: RolloutOptions, signal: AbortSignal): Promise<number> {
  const { file } = readRoutes(context, options);
  const shifts = shiftsIn(file);
  // Without Kafka the file still says who is shifted.
  const directory =
    shifts.length === 0 ? undefined : await readDirectory(context.kafkaLog(), signal).catch(() => undefined);
  const missing = shifts.map(({ tenant, prefixes }) => {
    const keys = directory?.spec(tenant)?.keys.filter(({ revoked }) => revoked !== true);
    return keys?.filter(({ prefix }) => !prefixes.includes(prefix)).length ?? null;
  });
  const envoys = await askEach(adminsOf(context, options), async (admin) => {
    const { version, refused } = await takenRoutes(admin);
    const hasThem = version === (versionOf(file) ?? '') && refused === undefined;
    return { admin, hasThem, ...(refused === undefined ? {} : { refused }) };
  });
  if (context.options.json === true) {
    const shown = shifts.map((shift, at) => ({ ...shownShift(shift), keysNotShifted: missing[at]! }));
    context.outside.out(`${JSON.stringify({ shifts: shown, envoys }, null, 2)}\n`);
  } else {
    const rows = shifts.map(({ tenant, to, percent, prefixes }, at) => [
      tenant,
      to,
      percent,
      prefixes.length,
      missing[at] ?? '?',
    ]);
    printRows(context.outside, false, ['tenant', 'to', 'percent', 'keys', 'keys not shifted'], rows);
    for (const envoy of envoys) context.outside.out(`Envoy at ${envoy.admin} ${hasText(envoy)}\n`);
  }
  if (envoys.length > 0) return exitOf(envoys);
  context.outside.err(NOT_ASKED);
  return shifts.length === 0 ? 0 : 1;
}

function hasText({ hasThem, isSilent, refused }: EnvoyState): string {
  if (isSilent === true) return `does not say what it has: ${refused}`;
  if (hasThem) return 'has these routes';
  return `has other routes${refused === undefined ? '' : `, it refused: ${refused}`}`;
}

async function change(
  context: Context,
  options: RolloutOptions,
  { path, text, changed }: { readonly path: string; readonly text: string; readonly changed: RoutesFile },
): Promise<number> {
  const { outside } = context;
  const binary = options.envoy ?? outside.env.WEIR_ENVOY_BINARY ?? context.envoy?.binary ?? 'envoy';
  const fault = await envoyFault(binary, changed);
  if (fault === null && options.envoy !== undefined) throw new UsageError(`there is no ${binary}`);
  if (typeof fault === 'string') throw new Refused(`Envoy would refuse these routes, nothing was changed: ${fault}`);
  const rendered = renderRoutes(changed);
  if (options.output === 'configmap') {
    const manifest = manifestOf(rendered.text);
    // kubectl takes either.
    outside.out(
      context.options.json === true ? `${JSON.stringify(manifest)}\n` : stringify(manifest, { lineWidth: 0 }),
    );
    return 0;
  }
  const shifts = shiftsIn(changed);
  const isJson = context.options.json === true;
  if (!isJson) {
    printTable(context, shifts);
    outside.out(`writes ${path}, which every Envoy that has it follows at once\n`);
  }
  if (options.dryRun === true) {
    if (isJson) print(context, shifts, { changed: false });
    return 0;
  }
  if (!(await agreed(context, options.yes, 'Shift exports so?'))) return 1;
  if (readText(context, path) !== text) throw new Refused(`${path} has changed meanwhile; try again`);
  outside.writeFile(path, rendered.text);
  // Asking may have taken longer than the time of a command.
  const envoys = await untilAllHave(adminsOf(context, options), rendered.version, longSignal(context));
  if (isJson) print(context, shifts, { changed: true, shownToEnvoy: fault !== null, envoys });
  else printTaken(context, fault !== null, envoys);
  return exitOf(envoys);
}

function exitOf(envoys: readonly EnvoyState[]): number {
  if (envoys.some(({ isSilent }) => isSilent === true)) return 3;
  return envoys.every(({ hasThem }) => hasThem) ? 0 : 1;
}

/** One Envoy that does not answer keeps nobody from hearing of the others. */
async function askEach(
  admins: readonly string[],
  ask: (admin: string) => Promise<EnvoyState>,
): Promise<readonly EnvoyState[]> {
  const envoys: EnvoyState[] = [];
  for (const admin of admins) {
    try {
      envoys.push(await ask(admin));
    } catch (error) {
      if (!(error instanceof DependencyError)) throw error;
      envoys.push({ admin, hasThem: false, isSilent: true, refused: error.message });
    }
  }
  return envoys;
}

function untilAllHave(admins: readonly string[], version: string, signal: AbortSignal): Promise<readonly EnvoyState[]> {
  return askEach(admins, async (admin) => {
    const taken = await untilTaken(admin, version, systemClock, TAKEN_MS, signal);
    const hasThem = taken.version === version;
    const refused = taken.refused ?? `not within ${TAKEN_MS / 1_000} s`;
    return { admin, hasThem, ...(hasThem ? {} : { refused }) };
  });
}

function printTaken({ outside }: Context, isShown: boolean, envoys: readonly EnvoyState[]): void {
  if (!isShown) outside.err('the routes were not shown to Envoy before: there is no binary of it here\n');
  if (envoys.length === 0) outside.err(NOT_ASKED);
  for (const { admin, hasThem, refused } of envoys) {
    outside.out(`Envoy at ${admin} ${hasThem ? 'has taken them' : `has not taken them: ${refused}`}\n`);
  }
}

function shownShift({ tenant, to, percent, prefixes }: Shift) {
  return { tenant, to, percent, keys: prefixes.length };
}

function print(context: Context, shifts: readonly Shift[], what: object): void {
  context.outside.out(`${JSON.stringify({ shifts: shifts.map(shownShift), ...what }, null, 2)}\n`);
}

function printTable(context: Context, shifts: readonly Shift[]): void {
  const rows = shifts.map(({ tenant, to, percent, prefixes }) => [tenant, to, percent, prefixes.length]);
  printRows(context.outside, false, ['tenant', 'to', 'percent', 'keys'], rows);
}

function manifestOf(text: string): object {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: CONFIG_MAP }, data: { 'otlp.yaml': text } };
}

function checkWriting(context: Context, { output, dryRun, yes }: RolloutOptions): void {
  if (output !== undefined && output !== 'configmap') throw new UsageError('--output must be configmap');
  if (output === undefined && dryRun !== true) checkAskable(context, yes);
}

/** Prefixes of a tenant's keys that are valid. One that another tenant has as well would shift that one too. */
async function prefixesOf(context: Context, tenant: string, signal: AbortSignal): Promise<readonly string[]> {
  const directory = await readDirectory(context.kafkaLog(), signal);
  const spec = directory.spec(tenant);
  if (spec === undefined) throw new Refused(`there is no tenant ${tenant}: see ingestctl tenants list`);
  const prefixes = spec.keys.filter(({ revoked }) => revoked !== true).map(({ prefix }) => prefix);
  if (prefixes.length === 0) throw new Refused(`${tenant} has no key that is valid`);
  for (const name of directory.names()) {
    const shared =
      name === tenant ? undefined : directory.spec(name)?.keys.find(({ prefix }) => prefixes.includes(prefix));
    if (shared !== undefined) throw new Refused(`${name} has a key with the prefix ${shared.prefix} as well`);
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
