import { encodeTenantValue } from '@weir/records';
import { createKey, hashKey, TenantDirectory } from '@weir/tenancy';
import { describe, expect, test } from 'vitest';
import { authenticate } from './authenticate.ts';

const PEPPER = 'kP2vQ8sT1xZ7bN4mR9wC5yF3gH6jL0dA';
const acme = createKey();
const globex = createKey();

function directory(): TenantDirectory {
  const known = new TenantDirectory(PEPPER);
  for (const [name, { key, prefix }] of Object.entries({ acme, globex })) {
    const keys = [{ prefix, hash: `hmac-sha256:${hashKey(key, PEPPER)}` }];
    known.apply(name, encodeTenantValue({ keys }));
  }
  return known;
}

function complete(): TenantDirectory {
  const known = directory();
  known.markComplete();
  return known;
}

const bearer = (key: string) => `Bearer ${key}`;

describe('a request', () => {
  test.each([
    ['as a bearer token', { authorization: [bearer(acme.key)], apiKey: [] }],
    ['as a bearer token in another case', { authorization: [`bEARER  ${acme.key}`], apiKey: [] }],
    ['as x-api-key', { authorization: [], apiKey: [` ${acme.key} `] }],
    ['the same in both headers', { authorization: [bearer(acme.key)], apiKey: [acme.key] }],
  ])('is let in with its key %s', (_how, headers) => {
    expect(authenticate(complete(), headers)).toMatchObject({ kind: 'tenant', tenant: { name: 'acme' } });
  });

  test.each([
    ['no key', { authorization: [], apiKey: [] }],
    ['an empty key', { authorization: [], apiKey: [''] }],
    ['another scheme', { authorization: [`Basic ${acme.key}`], apiKey: [] }],
    ['another scheme beside a good key', { authorization: ['Basic eDp5'], apiKey: [acme.key] }],
    ['a list in one header', { authorization: [`${bearer(acme.key)}, ${bearer(acme.key)}`], apiKey: [] }],
    ['two tenants in two headers', { authorization: [bearer(acme.key)], apiKey: [globex.key] }],
    ['two tenants in one header given twice', { authorization: [bearer(acme.key), bearer(globex.key)], apiKey: [] }],
    ['the same key in one header given twice', { authorization: [bearer(acme.key), bearer(acme.key)], apiKey: [] }],
    ['the same key in x-api-key given twice', { authorization: [], apiKey: [acme.key, acme.key] }],
    ['a key that nobody has', { authorization: [bearer(createKey().key)], apiKey: [] }],
    ['an endless key', { authorization: [bearer('k'.repeat(100_000))], apiKey: [] }],
  ])('is not let in with %s', (_what, headers) => {
    expect(authenticate(complete(), headers)).toMatchObject({ kind: 'refused', reason: 'unauthenticated' });
  });

  test('with a key that may be good is told to try again until the tenants are known, and known keys work', () => {
    const partial = directory();
    const unknown = authenticate(partial, { authorization: [], apiKey: [createKey().key] });
    expect(unknown).toMatchObject({ kind: 'refused', reason: 'tenant_store_unavailable', retryAfterS: 2 });
    expect(authenticate(partial, { authorization: [], apiKey: [globex.key] })).toMatchObject({ kind: 'tenant' });
  });
});
