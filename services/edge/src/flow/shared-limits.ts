import { limitShares } from '@weir/flow';
import type { DemandReport, TenantDemand } from '@weir/records';
import { type LimitShare, type Tenant, WHOLE } from '@weir/tenancy';
import type { LiveEdges } from './live-edges.ts';

/**
 * This edge's share of each tenant's limits: by demand while the edges hear each other, then for a while as it was, then in
 * equal parts. Alone, an edge has the whole limit. Bounded by what the reports name.
 */
export class SharedLimits {
  readonly #self: string;
  readonly #tenant: (name: string) => Tenant | undefined;
  #shares = new Map<string, LimitShare>();
  /** Of tenants that nobody names. */
  #equal = WHOLE;

  /** @param self id of this edge */
  constructor(self: string, tenant: (name: string) => Tenant | undefined) {
    this.#self = self;
    this.#tenant = tenant;
  }

  of({ name, limits }: Tenant): LimitShare {
    return limits.scope === 'local' ? WHOLE : (this.#shares.get(name) ?? this.#equal);
  }

  /** To be called every second. */
  refresh(edges: LiveEdges, nowMs: number): void {
    const hearing = edges.hearing(nowMs);
    if (hearing === 'held') return;
    const count = edges.count(nowMs);
    const part = 1 / count;
    this.#equal = count === 1 ? WHOLE : { items: part, bytes: part };
    this.#shares = new Map();
    if (count === 1 || hearing === 'lost') return;
    const reports = edges.reports(nowMs);
    const own = reports.findIndex(({ edge }) => edge === this.#self);
    for (const [name, demands] of byTenant(reports)) {
      const limits = this.#tenant(name)?.limits;
      if (limits === undefined || limits.scope === 'local' || own === -1) continue;
      const items = demands.map((demand) => demand?.offeredItems ?? 0);
      const bytes = demands.map((demand) => demand?.offeredBytes ?? 0);
      this.#shares.set(name, {
        items: limitShares(limits.items.perSecond, items)[own]! / limits.items.perSecond,
        bytes: limitShares(limits.bytes.perSecond, bytes)[own]! / limits.bytes.perSecond,
      });
    }
  }
}

/** What each tenant wants of each edge, in the order of the reports. */
function byTenant(reports: readonly DemandReport[]): Map<string, (TenantDemand | undefined)[]> {
  const found = new Map<string, (TenantDemand | undefined)[]>();
  for (const [at, { tenants }] of reports.entries()) {
    for (const demand of tenants) {
      let row = found.get(demand.tenant);
      if (row === undefined) {
        row = new Array<TenantDemand | undefined>(reports.length).fill(undefined);
        found.set(demand.tenant, row);
      }
      row[at] = demand;
    }
  }
  return found;
}
