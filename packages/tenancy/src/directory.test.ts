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

  test('that two tenants have is nobody’s until one gives it up, in whatever order they came', () => {
    const key = createKey();
    const other = createKey();
    for (const names of [
      ['acme', 'globex'],
      ['globex', 'acme'],
    ]) {
      const directory = directoryOf({ [names[0]!]: specWith(key), [names[1]!]: specWith(key, other) });
      expect(directory.byKey(key.key)).toEqual({ kind: 'unknown' });
      expect(directory.byKey(other.key)).toMatchObject({ kind: 'tenant' });
      directory.apply('globex', encodeTenantValue(specWith({ ...key, revoked: true })));
      expect(directory.byKey(key.key)).toEqual({ kind: 'unknown' });
      directory.apply('globex', encodeTenantValue(specWith(other)));
      expect(directory.byKey(key.key)).toMatchObject({ kind: 'tenant', tenant: { name: 'acme' } });
      directory.apply('acme', null);
      expect(directory.byKey(key.key)).toEqual({ kind: 'unknown' });
    }
  });

  test('is found although another tenant’s has the same prefix', () => {
    const a = createKey();
    const b = { prefix: a.prefix, key: `wk_${a.prefix}_${createKey().key.slice(12)}` };
    const directory = directoryOf({ acme: specWith(a), globex: specWith(b) });
    expect(directory.byKey(a.key)).toMatchObject({ kind: 'tenant', tenant: { name: 'acme' } });
    expect(directory.byKey(b.key)).toMatchObject({ kind: 'tenant', tenant: { name: 'globex' } });
  });

  test('costs one hash where it is bad, however it is bad, and none where it is good and was seen before', () => {
    let hashes = 0;
    const counted = (key: string, pepper: string) => {
      hashes++;
      return hashKey(key, pepper);
    };
    const directory = new TenantDirectory(PEPPER, counted);
    const [good, gone] = [createKey(), createKey()];
    directory.apply('acme', encodeTenantValue(specWith(good, { ...gone, revoked: true })));
    directory.markComplete();
    const wrong = `wk_${good.prefix}_${createKey().key.slice(12)}`;
    for (const bad of [createKey().key, wrong, gone.key, 'no key at all', '']) {
      hashes = 0;
      directory.byKey(bad);
      directory.byKey(bad);
      expect(hashes).toBe(2);
    }
    hashes = 0;
    for (let i = 0; i < 10; i++) expect(directory.byKey(good.key).kind).toBe('tenant');
    expect(hashes).toBe(1);
  });

  test('leaves nothing behind where it is bad: a million of them are remembered nowhere', () => {
    let hashes = 0;
    const directory = new TenantDirectory(PEPPER, () => {
      hashes++;
      return 'ff'.repeat(32);
    });
    const good = createKey();
    directory.apply(
      'acme',
      encodeTenantValue({ keys: [{ prefix: good.prefix, hash: `hmac-sha256:${'ff'.repeat(32)}` }] }),
    );
    directory.markComplete();
    expect(directory.byKey(good.key).kind).toBe('tenant');
    hashes = 0;
    const secret = 'A'.repeat(43);
    for (let i = 0; i < 1_000_000; i++) directory.byKey(`wk_${i.toString(36).padStart(8, '0')}_${secret}`);
    expect([hashes, directory.remembered]).toEqual([1_000_000, 1]);
  });

  test('that is good is remembered with at most 10,000 others', () => {
    const directory = new TenantDirectory(PEPPER, () => 'ff'.repeat(32));
    const good = createKey();
    directory.apply(
      'acme',
      encodeTenantValue({ keys: [{ prefix: good.prefix, hash: `hmac-sha256:${'ff'.repeat(32)}` }] }),
    );
    directory.markComplete();
    for (let i = 0; i < 25_000; i++) {
      directory.byKey(`wk_${good.prefix}_${String(i).padStart(43, 'x')}`);
      expect(directory.remembered).toBeLessThanOrEqual(10_000);
    }
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
