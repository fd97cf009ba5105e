import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createKey, hashKey } from '@weir/tenancy';
import { stringify } from 'yaml';
import type { StackPaths } from './paths.ts';

/** Keys of the local tenants as they are handed out, by tenant. Only the local stack keeps keys in the clear. */
export type LocalKeys = Readonly<Record<string, { readonly key: string }>>;

const PEPPER_BYTES = 32;

/**
 * Makes the pepper, a demo tenant and its key at first start. Where tenants.yaml is there already it is left alone.
 * @param limits of further tenants to be made at first start, by name; for tests
 */
export function ensureTenants(paths: StackPaths, limits: Readonly<Record<string, object>> = {}): LocalKeys {
  if (!existsSync(paths.pepper))
    writeFileSync(paths.pepper, randomBytes(PEPPER_BYTES).toString('hex'), { mode: 0o600 });
  if (existsSync(paths.tenants)) return readKeys(paths);
  const pepper = readFileSync(paths.pepper, 'utf8').trimEnd();
  const keys: Record<string, { key: string }> = {};
  const tenants: Record<string, object> = {};
  for (const [name, own] of Object.entries({ demo: {}, ...limits })) {
    const { key, prefix } = createKey();
    keys[name] = { key };
    const stored = [{ prefix, hash: `hmac-sha256:${hashKey(key, pepper)}` }];
    tenants[name] = Object.keys(own).length === 0 ? { keys: stored } : { keys: stored, limits: own };
  }
  const comment = '# Edit, then: npm run ingestctl -- tenants apply -f FILE\n';
  writeFileSync(paths.keys, `${JSON.stringify(keys, null, 2)}\n`, { mode: 0o600 });
  writeFileSync(paths.tenants, comment + stringify({ version: 1, tenants }, { aliasDuplicateObjects: false }), {
    mode: 0o600,
  });
  return keys;
}

function readKeys(paths: StackPaths): LocalKeys {
  return existsSync(paths.keys) ? (JSON.parse(readFileSync(paths.keys, 'utf8')) as LocalKeys) : {};
}
