import { FAIR_FILL, waterLevel } from '@weir/flow';
import type { DemandReport, FlowReport } from '@weir/records';
import type { Tenant } from '@weir/tenancy';
import { LIMITS } from '../limits.ts';
import { PipeCapacity } from './pipe-capacity.ts';

interface Bucket {
  /** Bytes a second that this edge may take of the tenant. */
  rate: number;
  tokens: number;
  atMs: number;
}

interface Wanted {
  readonly tenant: string;
  readonly weight: number;
  /** At all edges, within the tenant's own limits. */
  demand: number;
  /** At this edge, of what is offered at all edges. */
  readonly part: number;
}

/** A tenant that has not been measured here yet has this part of an equal part of its share. */
const PART_MIN = 0.1;

/**
 * Who is refused first while the pipe is full: max-min fair shares by weight of what it takes. Tenants that want more than their
 * share are held to it, on each edge by the part of their demand that comes there; all others are not touched. What a
 * call costs does not depend on the number of tenants; memory is bounded by what the reports name.
 */
export class FairShares {
  readonly #self: string;
  readonly #tenant: (name: string) => Tenant | undefined;
  readonly #capacity = new PipeCapacity();
  #buckets = new Map<string, Bucket>();

  /** @param self id of this edge */
  constructor(self: string, tenant: (name: string) => Tenant | undefined) {
    this.#self = self;
    this.#tenant = tenant;
  }

  /** Tenants that are held to their share. */
  get limited(): number {
    return this.#buckets.size;
  }

  /** Takes bytes from the tenant's share; where it is above it, takes nothing and says in how many seconds it is not. */
  take(tenant: string, bytes: number, nowMs: number): number | undefined {
    const bucket = this.#buckets.get(tenant);
    if (bucket === undefined) return undefined;
    refill(bucket, nowMs);
    // As with the tenants' own rates: an export above the burst, a second's worth, passes when the bucket is full.
    const needed = Math.min(bytes, bucket.rate);
    if (bucket.tokens < needed) return (needed - bucket.tokens) / bucket.rate;
    if (bucket.rate === 0) return LIMITS.retryAfterSMax;
    bucket.tokens -= bytes;
    return undefined;
  }

  giveBack(tenant: string, bytes: number): void {
    const bucket = this.#buckets.get(tenant);
    if (bucket !== undefined) bucket.tokens += bytes;
  }

  /**
   * To be called every second.
   *
   * @param fullest report of who decides how full the pipe is
   * @param reports of the edges of this track
   */
  refresh(fullest: FlowReport | undefined, reports: readonly DemandReport[], nowMs: number): void {
    const accepted = sum(reports, ({ acceptedBytes }) => acceptedBytes);
    if (fullest !== undefined) this.#capacity.learn(fullest, accepted);
    const opens = this.#buckets.size > 0 ? FAIR_FILL.leftBelow : FAIR_FILL.from;
    if (fullest === undefined || Math.max(fullest.fill, fillAhead(fullest)) < opens) {
      this.#buckets = new Map();
      return;
    }
    const wanted = this.#wanted(reports);
    // Who is not named is small: it has what it wants, and the others share the rest.
    const rest = reports.reduce((all, report) => all + report.rest.offeredBytes, 0);
    const demand = rest + wanted.reduce((all, each) => all + each.demand, 0);
    const capacity = this.#capacity.of(fullest, demand);
    const level = capacity === undefined ? Number.POSITIVE_INFINITY : waterLevel(wanted, Math.max(0, capacity - rest));
    const buckets = new Map<string, Bucket>();
    for (const { tenant, weight, demand: most, part } of wanted) {
      const share = weight * level;
      if (most <= share) continue;
      const rate = share * part;
      const bucket = this.#buckets.get(tenant) ?? { rate, tokens: rate, atMs: nowMs };
      refill(bucket, nowMs);
      bucket.rate = rate;
      bucket.tokens = Math.min(bucket.tokens, rate);
      buckets.set(tenant, bucket);
    }
    this.#buckets = buckets;
  }

  #wanted(reports: readonly DemandReport[]): Wanted[] {
    const all = new Map<string, { items: number; bytes: number; here: number }>();
    for (const { edge, tenants } of reports) {
      for (const { tenant, offeredItems, offeredBytes } of tenants) {
        const found = all.get(tenant);
        const here = edge === this.#self ? offeredBytes : 0;
        if (found === undefined) all.set(tenant, { items: offeredItems, bytes: offeredBytes, here });
        else {
          found.items += offeredItems;
          found.bytes += offeredBytes;
          found.here += here;
        }
      }
    }
    const least = PART_MIN / Math.max(1, reports.length);
    return [...all].map(([tenant, { items, bytes, here }]) => {
      const limits = this.#tenant(tenant)?.limits;
      const part = Math.max(least, here / Math.max(1, bytes));
      return { tenant, weight: limits?.weight ?? 1, demand: withinLimits(limits, items, bytes, reports.length), part };
    });
  }
}

/** What the fill will be at the present rates by the time that a limit made now is felt. */
function fillAhead({ fill, backlogBytes, inflowBytesPerSecond, drainBytesPerSecond }: FlowReport): number {
  if (drainBytesPerSecond === null || backlogBytes === 0) return fill;
  return fill * (1 + ((inflowBytesPerSecond - drainBytesPerSecond) * LIMITS.fairAheadS) / backlogBytes);
}

/** What a tenant's own rate refuses is no demand on the pipe. A local limit is each edge's: together they let so many times it through. */
function withinLimits(limits: Tenant['limits'] | undefined, items: number, bytes: number, edges: number): number {
  if (limits === undefined) return bytes;
  const times = limits.scope === 'local' ? edges : 1;
  const itemsMax = limits.items.perSecond * times;
  const byItems = items > itemsMax ? (bytes * itemsMax) / items : bytes;
  return Math.min(byItems, limits.bytes.perSecond * times);
}

function refill(bucket: Bucket, nowMs: number): void {
  const seconds = (nowMs - bucket.atMs) / 1_000;
  bucket.atMs = nowMs;
  bucket.tokens = Math.min(bucket.rate, bucket.tokens + bucket.rate * seconds);
}

function sum(
  reports: readonly DemandReport[],
  of: (demand: { readonly offeredBytes: number; readonly acceptedBytes: number }) => number,
): number {
  let all = 0;
  for (const { tenants, rest } of reports) {
    all += of(rest);
    for (const demand of tenants) all += of(demand);
  }
  return all;
}
