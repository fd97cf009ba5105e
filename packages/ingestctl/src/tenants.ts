import { isDeepStrictEqual } from 'node:util';
import { DEFAULTS_KEY, encodeTenantValue } from '@weir/records';
import { effectiveTenant, type LimitOverrides, type TenantDirectory, type TenantSpec } from '@weir/tenancy';
import { stringify } from 'yaml';
import type { Context } from './context.ts';
import { differencesLine } from './differences.ts';
import { printRows } from './output.ts';
import { readTenantsFile } from './tenants-text.ts';
import { readDirectory, type TenantRecord, writeTenants } from './tenants-topic.ts';

type TenantSpecs = Readonly<Record<string, TenantSpec>>;

interface Change extends TenantRecord {
  readonly change: 'new' | 'changed' | 'removed';
  /** What is different, for people. */
  readonly details: string;
}

/** What has to be written so that the topic says what the file says. */
function changes(
  directory: TenantDirectory,
  file: { defaults?: LimitOverrides | undefined; tenants: TenantSpecs },
  prune: boolean,
): Change[] {
  const found: Change[] = [];
  const add = (tenant: string, before: unknown, after: object | undefined) => {
    if (isDeepStrictEqual(before, after)) return;
    const change = after === undefined ? 'removed' : before === undefined ? 'new' : 'changed';
    const details = change === 'changed' ? differencesLine(before, after) : '';
    found.push({ tenant, change, details, value: after === undefined ? null : encodeTenantValue(after) });
  };
  // Like a tenant, defaults that the file leaves out stay: a file with some of the tenants must not change all others.
  if (file.defaults !== undefined || prune) add(DEFAULTS_KEY, directory.defaults, file.defaults);
  for (const [name, spec] of Object.entries(file.tenants)) add(name, directory.spec(name), spec);
  if (prune)
    for (const name of directory.names())
      if (!Object.hasOwn(file.tenants, name)) add(name, directory.spec(name), undefined);
  return found;
}

/** Keys that would be under two tenants, those that the file does not name included: a line for each. */
function doubledKeys(directory: TenantDirectory, found: readonly Change[], file: TenantSpecs): string[] {
  const removed = new Set(found.filter(({ value }) => value === null).map(({ tenant }) => tenant));
  const owners = new Map<string, string>();
  for (const name of directory.names()) {
    if (removed.has(name) || Object.hasOwn(file, name)) continue;
    for (const { prefix } of directory.spec(name)?.keys ?? []) owners.set(prefix, name);
  }
  return Object.entries(file).flatMap(([name, { keys }]) =>
    keys
      .filter(({ prefix }) => owners.has(prefix))
      .map(({ prefix }) => `tenants.${name}.keys: ${owners.get(prefix)} has the key ${prefix}; make another one`),
  );
}

/** Loads tenants.yaml into weir.tenants. All faults of the file are shown at once; nothing is written then. */
export async function tenantsApply(
  context: Context,
  options: { readonly file: string; readonly dryRun?: boolean; readonly prune?: boolean },
  signal: AbortSignal,
): Promise<number> {
  const { outside } = context;
  const file = readTenantsFile(context, options.file);
  if (file === undefined) return 1;
  const log = context.kafkaLog();
  const directory = await readDirectory(log, signal);
  const found = changes(directory, file, options.prune === true);
  const doubled = doubledKeys(directory, found, file.tenants);
  for (const line of doubled) outside.err(`${options.file}: ${line}\n`);
  if (doubled.length > 0) return 1;
  if (options.dryRun !== true && found.length > 0) await writeTenants(log, found, signal);
  if (found.length === 0 && context.options.json !== true)
    outside.out('nothing to do: the topic says what the file says\n');
  else {
    const rows = found.map(({ tenant, change, details }) => [tenant, change, details]);
    printRows(outside, context.options.json === true, ['tenant', 'change', 'details'], rows);
  }
  return 0;
}

export async function tenantsList(context: Context, signal: AbortSignal): Promise<number> {
  const directory = await readDirectory(context.kafkaLog(), signal);
  const rows = directory.names().map((name) => {
    const tenant = directory.get(name);
    const keys = tenant?.keys.filter((key) => key.revoked !== true).length ?? 0;
    const { items, bytes, retentionDays } = tenant?.limits ?? effectiveTenant(name, { keys: [] }, undefined).limits;
    return [name, keys, items.perSecond, bytes.perSecond, retentionDays];
  });
  const headings = ['tenant', 'keys', 'items/s', 'bytes/s', 'retention days'];
  printRows(context.outside, context.options.json === true, headings, rows);
  return 0;
}

/** Shows what was written for a tenant, or with `effective` what holds for it. Status 1 where there is none. */
export async function tenantsShow(
  context: Context,
  name: string,
  options: { readonly effective?: boolean },
  signal: AbortSignal,
): Promise<number> {
  const directory = await readDirectory(context.kafkaLog(), signal);
  const spec = directory.spec(name);
  if (spec === undefined) {
    context.outside.err(`there is no tenant of that name\n`);
    return 1;
  }
  const tenant = effectiveTenant(name, spec, directory.defaults);
  const shown = options.effective === true ? { name, keys: tenant.keys, limits: tenant.limits } : { name, ...spec };
  context.outside.out(context.options.json === true ? `${JSON.stringify(shown, null, 2)}\n` : stringify(shown));
  return 0;
}
