import { DEMAND_TENANTS_MAX, type Demand, type TenantDemand } from '@weir/records';
import { LIMITS } from '../limits.ts';

/** Time constant of the means. */
const SMOOTHING_S = 3;
/** Less than this a second, after no export, is no demand any more. */
const BYTES_MIN = 1;

interface Measured {
  /** Since the last look. */
  items: number;
  bytes: number;
  accepted: number;
  /** Means, a second. */
  offeredItems: number;
  offeredBytes: number;
  acceptedBytes: number;
}

/** What the tenants of this edge want. */
export interface MeasuredDemand {
  /** The greatest first. */
  readonly tenants: readonly TenantDemand[];
  readonly rest: Demand;
}

/** Measures what each tenant offers and what is accepted of it, as means of the last seconds. Bounded: who is one too many is among the rest. */
export class DemandMeter {
  readonly #tenants = new Map<string, Measured>();
  readonly #others = none();

  /** Counts an export that has been answered. O(1). */
  add(tenant: string, items: number, bytes: number, isAccepted: boolean): void {
    const measured = this.#of(tenant);
    measured.items += items;
    measured.bytes += bytes;
    if (isAccepted) measured.accepted += bytes;
  }

  /** The means as they are now; to be called at even times. @param seconds since the last look */
  look(seconds: number): MeasuredDemand {
    const tenants: TenantDemand[] = [];
    const part = -Math.expm1(-seconds / SMOOTHING_S);
    for (const [tenant, measured] of this.#tenants) {
      settle(measured, seconds, part);
      if (measured.offeredBytes < BYTES_MIN) this.#tenants.delete(tenant);
      else tenants.push({ tenant, ...toDemand(measured) });
    }
    settle(this.#others, seconds, part);
    tenants.sort((a, b) => b.offeredBytes - a.offeredBytes);
    const rest = { ...toDemand(this.#others) };
    for (const each of tenants.splice(DEMAND_TENANTS_MAX)) {
      rest.offeredItems += each.offeredItems;
      rest.offeredBytes += each.offeredBytes;
      rest.acceptedBytes += each.acceptedBytes;
    }
    return { tenants, rest };
  }

  #of(tenant: string): Measured {
    const found = this.#tenants.get(tenant);
    if (found !== undefined) return found;
    if (this.#tenants.size >= LIMITS.demandTenantsMax) return this.#others;
    const made = none();
    this.#tenants.set(tenant, made);
    return made;
  }
}

function none(): Measured {
  return { items: 0, bytes: 0, accepted: 0, offeredItems: 0, offeredBytes: 0, acceptedBytes: 0 };
}

function settle(measured: Measured, seconds: number, part: number): void {
  measured.offeredItems += (measured.items / seconds - measured.offeredItems) * part;
  measured.offeredBytes += (measured.bytes / seconds - measured.offeredBytes) * part;
  measured.acceptedBytes += (measured.accepted / seconds - measured.acceptedBytes) * part;
  measured.items = measured.bytes = measured.accepted = 0;
}

function toDemand({ offeredItems, offeredBytes, acceptedBytes }: Measured) {
  return { offeredItems, offeredBytes, acceptedBytes };
}
