import { encodeTenantValue } from '@weir/records';
import { createKey, hashKey, pepperFault } from '@weir/tenancy';
import { type Document, isMap, isSeq, parseDocument, stringify } from 'yaml';
import { type Context, UsageError } from './context.ts';
import { printRows } from './output.ts';
import { readTenantsFile, readText } from './tenants-text.ts';
import { readDirectory, writeTenants } from './tenants-topic.ts';

interface MadeKey {
  readonly key: string;
  /** What tenants.yaml has of it. */
  readonly entry: { readonly prefix: string; readonly hash: string };
}

function makeKey(context: Context): MadeKey {
  const { pepper } = context;
  const fault = pepperFault(pepper);
  if (fault !== undefined) throw new UsageError(fault);
  const { key, prefix } = createKey();
  return { key, entry: { prefix, hash: `hmac-sha256:${hashKey(key, pepper)}` } };
}

/** Makes a key; it is shown this once, with what goes into tenants.yaml. */
export function keysCreate(context: Context): number {
  const made = makeKey(context);
  if (context.options.json === true) context.outside.out(`${JSON.stringify(made)}\n`);
  else
    context.outside.out(`key (shown this once): ${made.key}\n\nfor keys: in tenants.yaml:\n${stringify([made.entry])}`);
  return 0;
}

/** Lists the keys that the edges know, by their public prefixes. */
export async function keysList(
  context: Context,
  options: { readonly tenant?: string },
  signal: AbortSignal,
): Promise<number> {
  const directory = await readDirectory(context.kafkaLog(), signal);
  if (options.tenant !== undefined && directory.spec(options.tenant) === undefined) {
    context.outside.err('there is no tenant of that name\n');
    return 1;
  }
  const names = options.tenant === undefined ? directory.names() : [options.tenant];
  const rows = names.flatMap((name) =>
    (directory.spec(name)?.keys ?? []).map(({ prefix, revoked }) => [
      name,
      prefix,
      revoked === true ? 'revoked' : 'valid',
    ]),
  );
  printRows(context.outside, context.options.json === true, ['tenant', 'prefix', 'state'], rows);
  return 0;
}

/** Gives a tenant one more key, in the file and live. Its other keys stay valid until they are revoked. */
export async function keysRotate(
  context: Context,
  tenant: string,
  options: { readonly file: string },
  signal: AbortSignal,
): Promise<number> {
  const made = makeKey(context);
  const status = await changeFile(context, options.file, tenant, signal, (document) => {
    if (!isMap(document.getIn(['tenants', tenant], true)))
      throw new UsageError(`${options.file} has no tenant ${tenant}`);
    const keys = ['tenants', tenant, 'keys'];
    if (isSeq(document.getIn(keys, true))) document.addIn(keys, document.createNode(made.entry, { flow: true }));
    else document.setIn(keys, [made.entry]);
  });
  if (status !== 0) return status;
  if (context.options.json === true) context.outside.out(`${JSON.stringify({ tenant, ...made })}\n`);
  else {
    const { prefix } = made.entry;
    context.outside.out(
      `key (shown this once): ${made.key}\n\n${tenant} has it now, as ${prefix} in ${options.file}. Its other keys stay valid: move the clients\nover, then: ingestctl keys revoke PREFIX -f ${options.file}\n`,
    );
  }
  return 0;
}

/** Marks a key as revoked, in the file and live. */
export async function keysRevoke(
  context: Context,
  prefix: string,
  options: { readonly file: string },
  signal: AbortSignal,
): Promise<number> {
  const file = readTenantsFile(context, options.file);
  if (file === undefined) return 1;
  const owners = Object.entries(file.tenants);
  const [tenant, spec] = owners.find(([, { keys }]) => keys.some((key) => key.prefix === prefix)) ?? [];
  if (tenant === undefined || spec === undefined) throw new UsageError(`${options.file} has no key with that prefix`);
  const index = spec.keys.findIndex((key) => key.prefix === prefix);
  const status = await changeFile(context, options.file, tenant, signal, (document) =>
    document.setIn(['tenants', tenant, 'keys', index, 'revoked'], true),
  );
  if (status === 0) {
    const left = spec.keys.filter((key) => key.prefix !== prefix && key.revoked !== true).length;
    printRows(
      context.outside,
      context.options.json === true,
      ['tenant', 'prefix', 'state', 'valid keys left'],
      [[tenant, prefix, 'revoked', left]],
    );
  }
  return status;
}

/**
 * Changes one tenant in the file, whose comments stay, and then in the topic. Other differences between the two are left
 * alone. Where the topic cannot be written the file is put back.
 */
async function changeFile(
  context: Context,
  path: string,
  tenant: string,
  signal: AbortSignal,
  change: (document: Document) => void,
): Promise<number> {
  const text = readText(context, path);
  if (readTenantsFile(context, path, text) === undefined) return 1;
  const document = parseDocument(text);
  change(document);
  const changed = document.toString({ lineWidth: 0 });
  const spec = readTenantsFile(context, path, changed)?.tenants[tenant];
  if (spec === undefined) return 1;
  context.outside.writeFile(path, changed);
  try {
    await writeTenants(context.kafkaLog(), [{ tenant, value: encodeTenantValue(spec) }], signal);
  } catch (error) {
    context.outside.writeFile(path, text);
    throw error;
  }
  return 0;
}
