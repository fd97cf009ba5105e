import type { Clock } from '@weir/pipeline';
import type { Rate } from './limits.ts';
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

/** Tenants whose buckets are kept; an idle tenant's bucket is full again soon, so forgetting it costs nothing. */
const TENANTS_MAX = 20_000;
const USAGE_WINDOW_S = 5;

interface Bucket {
  tokens: number;
  used: number;
}

interface Account {
  atMs: number;
  readonly items: Bucket;
  readonly bytes: Bucket;
}

/** Token buckets for items and bytes of each tenant, on the monotonic clock. A change of a limit holds from the next call. */
export class RateLimiter {
  readonly #clock: Clock;
  readonly #accounts = new Map<string, Account>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Takes an export's items and bytes from the buckets, or takes nothing and says why. */
  tryTake(tenant: Tenant, items: number, bytes: number): OverRate | undefined {
    const account = this.#account(tenant);
    const { limits } = tenant;
    const over =
      overRate('items', account.items, limits.items, items) ?? overRate('bytes', account.bytes, limits.bytes, bytes);
    if (over !== undefined) return over;
    take(account.items, items);
    take(account.bytes, bytes);
    return undefined;
  }

  /** Gives back what an export took that was refused after all. */
  giveBack(tenant: Tenant, items: number, bytes: number): void {
    const account = this.#accounts.get(tenant.name);
    if (account === undefined) return;
    take(account.items, -items);
    take(account.bytes, -bytes);
  }

  #account(tenant: Tenant): Account {
    const nowMs = this.#clock.nowMs();
    const { items, bytes } = tenant.limits;
    let account = this.#accounts.get(tenant.name);
    if (account === undefined) {
      if (this.#accounts.size >= TENANTS_MAX) this.#forgetOldest();
      account = { atMs: nowMs, items: { tokens: items.burst, used: 0 }, bytes: { tokens: bytes.burst, used: 0 } };
      this.#accounts.set(tenant.name, account);
      return account;
    }
    const seconds = (nowMs - account.atMs) / 1_000;
    account.atMs = nowMs;
    refill(account.items, items, seconds);
    refill(account.bytes, bytes, seconds);
    return account;
  }

  #forgetOldest(): void {
    const oldest = this.#accounts.keys().next();
    if (!oldest.done) this.#accounts.delete(oldest.value);
  }
}

function refill(bucket: Bucket, rate: Rate, seconds: number): void {
  bucket.tokens = Math.min(rate.burst, bucket.tokens + seconds * rate.perSecond);
  bucket.used *= Math.exp(-seconds / USAGE_WINDOW_S);
}

function take(bucket: Bucket, amount: number): void {
  bucket.tokens -= amount;
  bucket.used = Math.max(0, bucket.used + amount);
}

/** An export larger than the burst passes when the bucket is full, and leaves it in debt: it could never pass otherwise. */
function overRate(what: 'items' | 'bytes', bucket: Bucket, limit: Rate, amount: number): OverRate | undefined {
  const needed = Math.min(amount, limit.burst);
  if (bucket.tokens >= needed) return undefined;
  const retryAfterS = (needed - bucket.tokens) / limit.perSecond;
  return { what, limit, usedPerSecond: bucket.used / USAGE_WINDOW_S, retryAfterS };
}
