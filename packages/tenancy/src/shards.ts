import { hash } from 'node:crypto';

/** A tenant's exports go to one in so many partitions, and to at least so many. */
const PART = 4;
const LEAST = 2;
/** Tenants whose partitions are kept in mind; those of another are worked out anew, some 5 us for each partition. */
export const SHARDED_TENANTS_MAX = 10_000;

/** The partitions of a tenant. */
export interface Shards {
  /** All partitions, in the tenant's own order. */
  readonly order: readonly number[];
  /** How many of them, from the first on, are its own. The others are for when all of these are in doubt. */
  readonly own: number;
}

/** How many of `partitions` are a tenant's own: a quarter where it has no limit of its own, and at least two. */
export function ownShards(partitions: number, limit: number | undefined): number {
  return Math.min(partitions, limit ?? Math.max(LEAST, Math.ceil(partitions / PART)));
}

/**
 * Shuffle sharding: which partitions a tenant's exports go to, by rendezvous hashing of its name. The same on every edge
 * without a word between them; a partition that is added comes into the order of all tenants and moves nothing else in it.
 * Two tenants rarely have all partitions in common, so one that fills its own leaves the others most of theirs.
 */
export class ShardMap {
  readonly #partitions: number;
  readonly #known = new Map<string, Shards>();

  constructor(partitions: number) {
    this.#partitions = partitions;
  }

  /** @param limit partitions that the tenant's limits give it; a change holds from the next call */
  of(tenant: string, limit: number | undefined): Shards {
    const own = ownShards(this.#partitions, limit);
    const known = this.#known.get(tenant);
    if (known !== undefined && known.own === own) return known;
    const shards = { order: known?.order ?? rendezvousOrder(tenant, this.#partitions), own };
    if (known === undefined && this.#known.size >= SHARDED_TENANTS_MAX) this.#forgetOldest();
    this.#known.set(tenant, shards);
    return shards;
  }

  #forgetOldest(): void {
    const oldest = this.#known.keys().next();
    if (!oldest.done) this.#known.delete(oldest.value);
  }
}

/** Partitions by their weight for this tenant, the heaviest first. */
function rendezvousOrder(tenant: string, partitions: number): readonly number[] {
  const weights = Array.from({ length: partitions }, (_, partition) =>
    hash('sha256', `${tenant}/${partition}`, 'buffer').readUIntBE(0, 6),
  );
  return weights.map((_, partition) => partition).sort((a, b) => weights[b]! - weights[a]! || a - b);
}
