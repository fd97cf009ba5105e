import { z } from 'zod';
import {
  BUILT_IN_LIMITS,
  durationNs,
  type LimitOverrides,
  type Limits,
  limitOverrides,
  mergeLimits,
} from './limits.ts';

/** Names are safe everywhere they go: topics, SQL literals, labels, file names. */
export const tenantName = z
  .string()
  .regex(
    /^[a-z][a-z0-9-]{0,62}$/,
    'must be lower-case letters, digits and dashes, begin with a letter, and have at most 63',
  );

/** A key as it is stored. */
export const storedKey = z.strictObject({
  prefix: z.string().regex(/^[0-9a-z]{8}$/, 'must be the 8 characters behind wk_'),
  hash: z.string().regex(/^hmac-sha256:[0-9a-f]{64}$/, 'must be hmac-sha256: and 64 hex digits'),
  revoked: z.boolean().optional(),
});

export type StoredKey = z.infer<typeof storedKey>;

/** A tenant as its operator wrote it. */
export const tenantSpec = z.strictObject({
  keys: z.array(storedKey).max(16).default([]),
  limits: limitOverrides.optional(),
});

export type TenantSpec = z.infer<typeof tenantSpec>;

/** A tenant as the services use it. */
export interface Tenant {
  readonly name: string;
  readonly keys: readonly StoredKey[];
  readonly limits: Limits;
  /** `limits.slowThreshold` in nanoseconds. */
  readonly slowThresholdNs: number;
  /** `limits.timeWindow` in nanoseconds; infinite where there is none. */
  readonly windowNs: { readonly past: number; readonly future: number };
}

/** The tenant with all defaults applied. */
export function effectiveTenant(name: string, spec: TenantSpec, defaults: LimitOverrides | undefined): Tenant {
  const limits = mergeLimits(BUILT_IN_LIMITS, defaults, spec.limits);
  const { past, future } = limits.timeWindow;
  const windowNs = { past: durationNs(past), future: durationNs(future) };
  return { name, keys: spec.keys, limits, slowThresholdNs: durationNs(limits.slowThreshold), windowNs };
}
