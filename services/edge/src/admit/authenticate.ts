import { refuse } from '@weir/pipeline';
import type { TenantDirectory } from '@weir/tenancy';
import type { Authenticated, KeyHeaders } from '../exports.ts';

const BEARER = /^bearer +(\S+)$/i;
const KEY_CHARS_MAX = 256;

/** Finds the tenant of a request by its key. The tenant never comes from anything else. */
export function authenticate(directory: TenantDirectory, headers: KeyHeaders): Authenticated {
  if (headers.authorization.length > 1 || headers.apiKey.length > 1)
    return refuse('unauthenticated', 'the request carries more than one key');
  const keys = new Set<string>();
  for (const value of headers.authorization) {
    const match = BEARER.exec(value);
    if (match === null) return refuse('unauthenticated', 'the authorization header must be: Bearer KEY');
    keys.add(match[1]!);
  }
  for (const value of headers.apiKey) keys.add(value.trim());
  if (keys.size > 1) return refuse('unauthenticated', 'the request carries more than one key');
  const [key] = keys;
  if (key === undefined || key === '') {
    return refuse('unauthenticated', 'the request carries no key: send authorization: Bearer KEY, or x-api-key: KEY');
  }
  if (key.length > KEY_CHARS_MAX) return refuse('unauthenticated', 'the key is not known');
  const found = directory.byKey(key);
  if (found.kind === 'tenant') return found;
  if (found.kind === 'unavailable')
    return refuse('tenant_store_unavailable', 'not all tenants are known at the moment; try again', 2);
  return refuse('unauthenticated', 'the key is not known');
}
