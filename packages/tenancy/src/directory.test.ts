import { DEFAULTS_KEY, encodeTenantValue } from '@weir/records';
import { describe, expect, test } from 'vitest';
import { TenantDirectory } from './directory.ts';
import { createKey, hashKey } from './key.ts';

const PEPPER = 'kP2vQ8sT1xZ7bN4mR9wC5yF3gH6jL0dA';

function specWith(...keys: { key: string; prefix: string; revoked?: boolean }[]) {
  return {
    keys: keys.map(({ key, prefix, revoked }) => ({
      prefix,
      hash: `hmac-sha256:${hashKey(key, PEPPER)}`,
      ...(revoked === undefined ? {} : { revoked }),
    })),
  };
}

function directoryOf(tenants: Record<string, object>): TenantDirectory {
  const directory = new TenantDirectory(PEPPER);
  for (const [name, spec] of Object.entries(tenants)) directory.apply(name, encodeTenantValue(spec));
  directory.markComplete();
  return directory;
}

describe('a key', () => {
  test('finds its tenant, and only its own', () => {
    const a = createKey();
    const b = createKey();
    const directory = directoryOf({ acme: specWith(a), globex: specWith(b) });
    expect(directory.byKey(a.key)).toMatchObject({ kind: 'tenant', tenant: { name: 'acme' } });
    expect(directory.byKey(b.key)).toMatchObject({ kind: 'tenant', tenant: { name: 'globex' } });
  });

  test('with a known prefix and another secret is unknown', () => {
    const key = createKey();
    const other = `wk_${key.prefix}_${createKey().key.slice(12)}`;
    expect(directoryOf({ acme: specWith(key) }).byKey(other)).toEqual({ kind: 'unknown' });
  });

  test('works while it is rotated, until it is revoked', () => {
    const old = createKey();
    const next = createKey();
    const directory = directoryOf({ acme: specWith(old, next) });
    expect([directory.byKey(old.key).kind, directory.byKey(next.key).kind]).toEqual(['tenant', 'tenant']);
    directory.apply('acme', encodeTenantValue(specWith({ ...old, revoked: true }, next)));
    expect([directory.byKey(old.key).kind, directory.byKey(next.key).kind]).toEqual(['unknown', 'tenant']);
  });

  test('that was found before is gone with its tenant', () => {
    const key = createKey();
    const directory = directoryOf({ acme: specWith(key) });
    expect(directory.byKey(key.key).kind).toBe('tenant');
    directory.apply('acme', null);
    expect(directory.byKey(key.key)).toEqual({ kind: 'unknown' });
    expect(directory.names()).toEqual([]);
  });

  test('that is not known is unavailable until all tenants have been read', () => {
    const directory = new TenantDirectory(PEPPER);
    const { key } = createKey();
    expect(directory.byKey(key)).toEqual({ kind: 'unavailable' });
    directory.markComplete();
    expect(directory.byKey(key)).toEqual({ kind: 'unknown' });
  });

  test('of any form but ours is unknown', () => {
    const directory = directoryOf({ acme: specWith(createKey()) });
    for (const text of ['', 'wk_', 'Bearer x', `wk_${'a'.repeat(100_000)}`, '\0', '__proto__']) {
      expect(directory.byKey(text)).toEqual({ kind: 'unknown' });
    }
  });
});

describe('a change', () => {
  test('of the defaults reaches every tenant, under what the tenant says itself', () => {
    const directory = directoryOf({ acme: { keys: [] }, globex: { keys: [], limits: { retentionDays: 7 } } });
    directory.apply(DEFAULTS_KEY, encodeTenantValue({ retentionDays: 90, slowThreshold: '250ms' }));
    expect(directory.get('acme')).toMatchObject({ limits: { retentionDays: 90 }, slowThresholdNs: 250e6 });
    expect(directory.get('globex')?.limits.retentionDays).toBe(7);
    directory.apply(DEFAULTS_KEY, null);
    expect(directory.get('acme')?.limits.retentionDays).toBe(30);
  });

  test('that cannot be read leaves everything as it was', () => {
    const key = createKey();
    const directory = directoryOf({ acme: specWith(key) });
    expect(directory.apply('acme', Buffer.from('not a record'))).toBe('unreadable');
    expect(directory.apply('acme', encodeTenantValue({ keys: 'x' }))).toBe('unreadable');
    expect(directory.apply('Bad Name', encodeTenantValue({ keys: [] }))).toBe('unreadable');
    expect(directory.byKey(key.key).kind).toBe('tenant');
  });

  test('of one tenant among 5,000 costs no more than that one', () => {
    const directory = new TenantDirectory(PEPPER);
    const started = performance.now();
    for (let i = 0; i < 5_000; i++) directory.apply(`tenant-${i}`, encodeTenantValue({ keys: [] }));
    expect(directory.size).toBe(5_000);
    expect(performance.now() - started).toBeLessThan(2_000);
  });
});
