import { DEFAULTS_KEY, decodeTenantValue } from '@weir/records';
import { hashesEqual, hashKey, keyPrefix } from './key.ts';
import { type LimitOverrides, limitOverrides } from './limits.ts';
import { effectiveTenant, type StoredKey, type Tenant, type TenantSpec, tenantName, tenantSpec } from './tenant.ts';

/** Who a presented key belongs to; `unavailable`: it may be good, but not all tenants are known. */
export type KeyLookup =
  | { readonly kind: 'tenant'; readonly tenant: Tenant }
  | { readonly kind: 'unknown' }
  | { readonly kind: 'unavailable' };

/** What one record of weir.tenants did. */
export type Applied = 'changed' | 'unreadable';

const UNKNOWN: KeyLookup = { kind: 'unknown' };
const UNAVAILABLE: KeyLookup = { kind: 'unavailable' };
/** Presented keys whose hash is remembered. Each costs about 300 bytes. */
const REMEMBERED_MAX = 10_000;
/** Stands in for a hash where no key has the prefix, so that both cases take the same time. */
const NO_HASH = '0'.repeat(64);

const NO_ENTRIES: readonly KeyEntry[] = [];

interface KeyEntry {
  readonly stored: StoredKey;
  readonly tenant: string;
}

/**
 * All tenants, as the newest records of weir.tenants say. Look-ups are by the key's public prefix first, and what a
 * million random keys leave behind is bounded: known keys are remembered up to a number, unknown ones not at all, and
 * each costs one HMAC.
 */
export class TenantDirectory {
  readonly #pepper: string;
  readonly #hash: typeof hashKey;
  readonly #specs = new Map<string, TenantSpec>();
  readonly #tenants = new Map<string, Tenant>();
  /** By prefix: nearly always one. Two tenants' keys may share a prefix by chance, and a record may say anything. */
  readonly #keys = new Map<string, readonly KeyEntry[]>();
  /** Presented keys that are good, so that a known key costs no HMAC. Emptied by every change. */
  readonly #remembered = new Map<string, KeyLookup>();
  #defaults: LimitOverrides | undefined;
  #complete = false;
  #reachable = true;

  /**
   * @param pepper empty where keys are never looked up (a normalizer)
   * @param hash for tests that count what a look-up costs
   */
  constructor(pepper: string, hash: typeof hashKey = hashKey) {
    this.#pepper = pepper;
    this.#hash = hash;
  }

  /** Presented keys whose look-up is remembered; never more than a bound, and never a bad one. */
  get remembered(): number {
    return this.#remembered.size;
  }

  /** Whether all records that were there at the start have been read. */
  get complete(): boolean {
    return this.#complete;
  }

  get size(): number {
    return this.#tenants.size;
  }

  markComplete(): void {
    this.#complete = true;
  }

  /** Whether changes arrive. While they do not, a key that is not known may have been made meanwhile. */
  markReachable(reachable: boolean): void {
    this.#reachable = reachable;
  }

  get(name: string): Tenant | undefined {
    return this.#tenants.get(name);
  }

  names(): string[] {
    return [...this.#tenants.keys()].sort();
  }

  /** What was written for a tenant, without defaults. */
  spec(name: string): TenantSpec | undefined {
    return this.#specs.get(name);
  }

  get defaults(): LimitOverrides | undefined {
    return this.#defaults;
  }

  /** Finds the tenant of a presented key. */
  byKey(presented: string): KeyLookup {
    const remembered = this.#remembered.get(presented);
    if (remembered !== undefined) return remembered;
    const entries = this.#keys.get(keyPrefix(presented) ?? '') ?? NO_ENTRIES;
    const hash = this.#hash(presented, this.#pepper);
    // Compared even where there is nothing to compare with, so that no answer comes sooner than another.
    const owners = entries.length === 0 ? entries : entries.filter(({ stored }) => hashesEqual(hash, hexOf(stored)));
    if (entries.length === 0) hashesEqual(hash, NO_HASH);
    const [entry] = owners;
    // A key that two tenants have is nobody's: whichever were taken, the other's data would be under it.
    if (entry === undefined || owners.length > 1 || entry.stored.revoked === true) {
      // A known prefix with a wrong secret or a revoked key is known to be bad, whatever has not been read yet.
      return (this.#complete && this.#reachable) || entries.length > 0 ? UNKNOWN : UNAVAILABLE;
    }
    const tenant = this.#tenants.get(entry.tenant);
    if (tenant === undefined) return UNKNOWN;
    const found: KeyLookup = { kind: 'tenant', tenant };
    if (this.#remembered.size >= REMEMBERED_MAX) this.#remembered.clear();
    this.#remembered.set(presented, found);
    return found;
  }

  /** Takes one record; a null value removes the tenant. A record that cannot be read changes nothing. */
  apply(key: string, value: Buffer | null): Applied {
    if (value === null) {
      if (key === DEFAULTS_KEY) this.#defaults = undefined;
      else this.#specs.delete(key);
      this.#refresh(key);
      return 'changed';
    }
    const decoded = decodeTenantValue(value);
    if (!decoded.ok) return 'unreadable';
    if (key === DEFAULTS_KEY) {
      const defaults = limitOverrides.safeParse(decoded.value);
      if (!defaults.success) return 'unreadable';
      this.#defaults = defaults.data;
    } else {
      const spec = tenantSpec.safeParse(decoded.value);
      if (!spec.success || !tenantName.safeParse(key).success) return 'unreadable';
      this.#specs.set(key, spec.data);
    }
    this.#refresh(key);
    return 'changed';
  }

  /** Works out anew what the record with this key says: one tenant, or all of them. */
  #refresh(key: string): void {
    this.#remembered.clear();
    if (key !== DEFAULTS_KEY) this.#refreshTenant(key);
    else for (const name of this.#specs.keys()) this.#refreshTenant(name);
  }

  #refreshTenant(name: string): void {
    for (const { prefix } of this.#tenants.get(name)?.keys ?? []) {
      const others = this.#keys.get(prefix)?.filter(({ tenant }) => tenant !== name) ?? [];
      if (others.length > 0) this.#keys.set(prefix, others);
      else this.#keys.delete(prefix);
    }
    const spec = this.#specs.get(name);
    if (spec === undefined) {
      this.#tenants.delete(name);
      return;
    }
    this.#tenants.set(name, effectiveTenant(name, spec, this.#defaults));
    for (const stored of spec.keys) {
      this.#keys.set(stored.prefix, [...(this.#keys.get(stored.prefix) ?? []), { stored, tenant: name }]);
    }
  }
}

function hexOf({ hash }: StoredKey): string {
  return hash.slice('hmac-sha256:'.length);
}
