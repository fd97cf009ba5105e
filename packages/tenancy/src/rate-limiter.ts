import type { Clock } from '@weir/pipeline';
import type { Rate } from './limits.ts';
import { RecentMap } from './recent-map.ts';
import { Smallest } from './smallest.ts';
import type { Tenant } from './tenant.ts';

/** Why an export is over a tenant's rate. */
export interface OverRate {
  readonly what: 'items' | 'bytes';
  readonly limit: Rate;
  /** What the tenant used, a second, averaged over the last seconds. */
  readonly usedPerSecond: number;
  /** Until the export would fit, s; more than 0. */
  readonly retryAfterS: number;
}

/** An export that is over a tenant's rate whatever is in it, and what is in it by the look of the others. */
export interface OverUnread extends OverRate {
  readonly items: number;
  readonly bytes: number;
}

/** What of a tenant's limits one process may give; each above 0 and at most 1. */
export interface LimitShare {
  readonly items: number;
  readonly bytes: number;
}

/** The limits as they are: no other process gives any of them. */
export const WHOLE: LimitShare = { items: 1, bytes: 1 };

/** Tenants whose buckets are kept; an idle tenant's bucket is full again soon, so forgetting it costs nothing. */
const TENANTS_MAX = 20_000;
const USAGE_WINDOW_S = 5;
/** A tenant that offers more than so many times its rate is far over it. */
const FAR_OVER = 2;

interface Bucket {
  tokens: number;
  /** What was taken, and what was asked for, each decaying with the window. */
  used: number;
  offered: number;
}

interface Account {
  atMs: number;
  readonly items: Bucket;
  readonly bytes: Bucket;
  /** Bytes of the bodies as they came, decaying like `offered`. */
  offeredWire: number;
  readonly smallest: Smallest;
}

/**
 * Token buckets for items and bytes of each tenant, on the monotonic clock. A change of a limit, or of this process's share
 * of it, holds from the next call.
 */
export class RateLimiter {
  readonly #clock: Clock;
  readonly #accounts = new RecentMap<Account>(TENANTS_MAX);

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * Takes an export's items and bytes from the buckets, or takes nothing and says why.
   *
   * @param wireBytes of the body as it came
   */
  tryTake(tenant: Tenant, items: number, bytes: number, wireBytes = bytes, share = WHOLE): OverRate | undefined {
    const account = this.#account(tenant, share);
    const { limits } = tenant;
    account.items.offered += items;
    account.bytes.offered += bytes;
    account.offeredWire += wireBytes;
    // One without items says nothing of how few may come, and a debt of items is not its own.
    const none = items === 0;
    account.smallest.add(account.atMs, none ? Number.POSITIVE_INFINITY : items, bytes, wireBytes);
    const over =
      (none ? undefined : overRate('items', account.items, limits.items, share.items, items)) ??
      overRate('bytes', account.bytes, limits.bytes, share.bytes, bytes);
    if (over !== undefined) return over;
    take(account.items, items);
    take(account.bytes, bytes);
    return undefined;
  }

  /**
   * Whether a body need not be read to know that it is over the rate: its tenant offers far more than its rate, the bucket
   * does not hold what the smallest of its recent exports had, and the body is no smaller than theirs were. Takes nothing.
   */
  overUnread(tenant: Tenant, wireBytes: number, share = WHOLE): OverUnread | undefined {
    const { limits, name } = tenant;
    if (this.#accounts.get(name) === undefined) return undefined;
    const account = this.#account(tenant, share);
    const { smallest } = account;
    const isKnown = smallest.knows(account.atMs, wireBytes);
    if (!isKnown && wireBytes === 0) return undefined;
    const over =
      (isKnown ? farOver('items', account.items, limits.items, share.items, smallest.items) : undefined) ??
      // A body that is smaller than all others may fit, but not where there is no byte left.
      farOver('bytes', account.bytes, limits.bytes, share.bytes, isKnown ? smallest.bytes : 1);
    if (over === undefined) return undefined;
    const part = wireBytes / account.offeredWire;
    const items = account.items.offered * part;
    const bytes = account.bytes.offered * part;
    account.items.offered += items;
    account.bytes.offered += bytes;
    account.offeredWire += wireBytes;
    return { ...over, items, bytes };
  }

  /** Gives back what an export took that was refused after all. */
  giveBack(tenant: Tenant, items: number, bytes: number): void {
    const account = this.#accounts.get(tenant.name);
    if (account === undefined) return;
    take(account.items, -items);
    take(account.bytes, -bytes);
  }

  #account(tenant: Tenant, share: LimitShare): Account {
    const nowMs = this.#clock.nowMs();
    const { items, bytes } = tenant.limits;
    let account = this.#accounts.get(tenant.name);
    if (account === undefined) {
      account = {
        atMs: nowMs,
        items: { tokens: items.burst * share.items, used: 0, offered: 0 },
        bytes: { tokens: bytes.burst * share.bytes, used: 0, offered: 0 },
        offeredWire: 0,
        smallest: new Smallest(),
      };
      this.#accounts.set(tenant.name, account);
      return account;
    }
    const seconds = (nowMs - account.atMs) / 1_000;
    account.atMs = nowMs;
    const kept = Math.exp(-seconds / USAGE_WINDOW_S);
    refill(account.items, items, share.items, seconds, kept);
    refill(account.bytes, bytes, share.bytes, seconds, kept);
    account.offeredWire *= kept;
    return account;
  }
}

function refill(bucket: Bucket, rate: Rate, share: number, seconds: number, kept: number): void {
  bucket.tokens = Math.min(rate.burst * share, bucket.tokens + seconds * rate.perSecond * share);
  bucket.used *= kept;
  bucket.offered *= kept;
}

function take(bucket: Bucket, amount: number): void {
  bucket.tokens -= amount;
  bucket.used = Math.max(0, bucket.used + amount);
}

/** An export larger than the burst passes when the bucket is full, and leaves it in debt: it could never pass otherwise. */
function overRate(
  what: 'items' | 'bytes',
  bucket: Bucket,
  limit: Rate,
  share: number,
  amount: number,
): OverRate | undefined {
  const needed = Math.min(amount, limit.burst * share);
  if (bucket.tokens >= needed) return undefined;
  const retryAfterS = (needed - bucket.tokens) / (limit.perSecond * share);
  return { what, limit, usedPerSecond: bucket.used / USAGE_WINDOW_S, retryAfterS };
}

function farOver(
  what: 'items' | 'bytes',
  bucket: Bucket,
  limit: Rate,
  share: number,
  least: number,
): OverRate | undefined {
  if (bucket.offered / USAGE_WINDOW_S <= FAR_OVER * limit.perSecond * share) return undefined;
  return overRate(what, bucket, limit, share, least);
}
