export { ActiveSeries, type ActiveSeriesOptions } from './active-series.ts';
export { type Applied, type KeyLookup, TenantDirectory } from './directory.ts';
export { type FollowerEvents, followTenants } from './follower.ts';
export { followerLines } from './follower-lines.ts';
export { createKey, hashKey, keyPrefix, type NewKey, pepperFault } from './key.ts';
export {
  type LimitOverrides,
  type Limits,
  limitOf,
  limitOverrides,
  type Rate,
} from './limits.ts';
export { type LimitShare, type OverRate, type OverUnread, RateLimiter, WHOLE } from './rate-limiter.ts';
export { ReadPlace } from './read-place.ts';
export { ShardMap, type Shards } from './shards.ts';
export {
  effectiveTenant,
  type StoredKey,
  type Tenant,
  type TenantSpec,
  tenantName,
} from './tenant.ts';
export { type FileFault, type ParsedTenants, parseTenants, type TenantsFile } from './tenants-file.ts';
