import type { RawEntry } from '@weir/normalize';
import type { Clock } from '@weir/pipeline';
import type { TenantDirectory } from '@weir/tenancy';
import { LIMITS } from './limits.ts';

const POLL_MS = 50;

/**
 * News of a tenant may reach an edge before it reaches here, so a record of a tenant that is not known waits a while.
 * A tenant that did not become known is not waited for again for some time.
 */
export class UnknownTenants {
  readonly #directory: TenantDirectory;
  readonly #clock: Clock;
  readonly #untilMs = new Map<string, number>();

  constructor(directory: TenantDirectory, clock: Clock) {
    this.#directory = directory;
    this.#clock = clock;
  }

  /** Resolves once every tenant of the entries is known, or has been waited for; `clock` is that of who waits. */
  async settle(entries: readonly RawEntry[], signal: AbortSignal, clock = this.#clock): Promise<void> {
    const deadlineMs = clock.nowMs() + LIMITS.tenantWaitMs;
    for (;;) {
      const missing = this.#missing(entries);
      if (missing.size === 0) return;
      const nowMs = clock.nowMs();
      if (this.#directory.complete && nowMs >= deadlineMs) {
        if (this.#untilMs.size > LIMITS.tenantsUnknownMax) this.#untilMs.clear();
        for (const name of missing) this.#untilMs.set(name, nowMs + LIMITS.tenantUnknownMs);
        return;
      }
      await clock.sleep(POLL_MS, signal);
    }
  }

  #missing(entries: readonly RawEntry[]): Set<string> {
    const missing = new Set<string>();
    for (const entry of entries) {
      if (entry.kind !== 'export') continue;
      const { tenant } = entry.meta;
      if (this.#directory.get(tenant) !== undefined) continue;
      if ((this.#untilMs.get(tenant) ?? 0) > this.#clock.nowMs()) continue;
      missing.add(tenant);
    }
    return missing;
  }
}
