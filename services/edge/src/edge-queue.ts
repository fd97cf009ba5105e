import { type Budget, InvariantError, type Refused, refuse, type Zone, ZoneGauge, zoneAt } from '@weir/pipeline';
import type { Tenant } from '@weir/tenancy';
import { LIMITS } from './limits.ts';

/** Of whom something is held: the name, and the share of what is full. */
type Holder = { readonly name: string; readonly limits: Pick<Tenant['limits'], 'weight'> };

interface Account {
  weight: number;
  zone: Zone;
  bytes: number;
  items: number;
}

/**
 * The queue of the edge: one budget for all, and in it a fair share for each tenant, from the first byte of a body to its
 * answer. The shares are dynamic thresholds (Choudhury and Hahne, 1998): beside the export that asks, a tenant may hold
 * `LIMITS.queueShareAlpha` times its weight, over the mean weight of those that hold something, times what is free, and never
 * more than `LIMITS.queueShareMax` times it. So one tenant alone has two thirds, none more than four fifths, what is left
 * free is there for the others at once, and the more hold something, the less each may. An export of a tenant that holds nothing beside it is bound by the budget alone. O(1) for each call;
 * only tenants that hold something are known.
 */
export class EdgeQueue {
  readonly budget: Budget;
  readonly #accounts = new Map<string, Account>();
  readonly #zone: ZoneGauge;
  #weights = 0;

  constructor(budget: Budget, onZone?: (zone: Zone) => void) {
    this.budget = budget;
    this.#zone = new ZoneGauge(onZone);
  }

  /** Tenants that hold something. */
  get tenants(): number {
    return this.#accounts.size;
  }

  get zone(): Zone {
    return this.#zone.observe(this.budget.fill);
  }

  /**
   * The zone that an export finds which has taken `ownBytes` and no items: of the queue by what others hold, since it must not
   * itself make it full, and of its tenant's share by what the tenant holds beside it. The last of a share, too, is for
   * priority exports: otherwise a tenant alone, which never fills the queue, would have no room left for its errors.
   */
  zoneBeside(tenant: Holder, ownBytes: number): Zone {
    const zone = zoneAt(this.budget.fillBeside(ownBytes), this.zone);
    const account = this.#accounts.get(tenant.name);
    if (zone !== 'open' || account === undefined) return zone;
    account.zone = zoneAt(this.#shareFill(account, 0), account.zone);
    return zoneAt(this.#shareFill(account, ownBytes), account.zone) === 'open' ? 'open' : 'priority';
  }

  /**
   * Takes room for an export, or takes nothing and says why.
   *
   * @param ownBytes what this export holds already: it is judged by what its tenant holds beside it
   */
  take(tenant: Holder, ownBytes: number, bytes: number, items: number): Refused | undefined {
    const { budget } = this;
    if (bytes === 0 && items === 0) return undefined;
    const account = this.#accounts.get(tenant.name);
    if (account !== undefined) this.#weigh(account, tenant.limits.weight);
    if (account !== undefined && this.#isOver(account, ownBytes, bytes, items)) {
      return refuse('edge_full', "the edge's queue fills up, and the tenant holds its fair share of it");
    }
    if (!budget.tryTake(bytes, items)) return refuse('edge_full', 'the edge is full');
    const held = account ?? this.#open(tenant);
    held.bytes += bytes;
    held.items += items;
    this.#zone.observe(budget.fill);
    return undefined;
  }

  /** Gives back what was taken. @throws InvariantError when more comes back than was taken */
  give(tenant: Holder, bytes: number, items: number): void {
    if (bytes === 0 && items === 0) return;
    const account = this.#accounts.get(tenant.name);
    if (account === undefined || account.bytes < bytes || account.items < items) {
      throw new InvariantError('a tenant gave back more of the queue than it took');
    }
    this.budget.give(bytes, items);
    account.bytes -= bytes;
    account.items -= items;
    if (account.bytes === 0 && account.items === 0) this.#close(tenant.name, account);
    this.#zone.observe(this.budget.fill);
  }

  #isOver(account: Account, ownBytes: number, bytes: number, items: number): boolean {
    if (bytes > 0 && this.#bytesFill(account, ownBytes) >= 1) return true;
    return items > 0 && this.#itemsFill(account) >= 1;
  }

  #shareFill(account: Account, ownBytes: number): number {
    return Math.max(this.#bytesFill(account, ownBytes), this.#itemsFill(account));
  }

  #bytesFill(account: Account, ownBytes: number): number {
    const { limits, bytes } = this.budget;
    return ratio(account.bytes - ownBytes, this.#share(account) * (limits.bytesMax - bytes));
  }

  #itemsFill(account: Account): number {
    const { limits, items } = this.budget;
    return ratio(account.items, this.#share(account) * (limits.itemsMax - items));
  }

  /** What it may hold, over what is free. */
  #share({ weight }: Account): number {
    const weighted = (LIMITS.queueShareAlpha * weight * this.#accounts.size) / this.#weights;
    return Math.min(LIMITS.queueShareMax, weighted);
  }

  /** A weight may change while something is held, and holds from the next export. */
  #weigh(account: Account, weight: number): void {
    if (account.weight === weight) return;
    this.#weights += weight - account.weight;
    account.weight = weight;
  }

  #open({ name, limits }: Holder): Account {
    const account: Account = { weight: limits.weight, zone: 'open', bytes: 0, items: 0 };
    this.#accounts.set(name, account);
    this.#weights += account.weight;
    return account;
  }

  #close(name: string, account: Account): void {
    this.#accounts.delete(name);
    // Sums of fractions drift; those of nothing do not.
    this.#weights = this.#accounts.size === 0 ? 0 : this.#weights - account.weight;
  }
}

/** Of nothing it is none, though nothing be free. */
function ratio(held: number, threshold: number): number {
  return held <= 0 ? 0 : held / threshold;
}
