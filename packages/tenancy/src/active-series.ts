import type { SeriesGate } from '@weir/otlp';
import type { Clock } from '@weir/pipeline';
import type { Tenant } from './tenant.ts';

/** What all tenants' series may hold. */
export interface ActiveSeriesOptions {
  readonly bytesMax: number;
}

/** One of two generations lasts so long: what is not seen for an hour is forgotten, at the earliest after half an hour. */
const GENERATION_MS = 30 * 60_000;
/** Entries that a table starts with. */
const SLOTS_MIN = 64;
const SLOT_BYTES = 8;
/** What a tenant costs beside its tables. */
const TENANT_BYTES = 512;
/** Above this, long runs of taken slots make looking up slow. */
const LOAD_MAX = 0.6;
/** No honest table of that load has such a run: who finds out how to make one does not get to slow the edge down. */
const PROBES_MAX = 256;

/**
 * The series of metrics that tenants have sent of late, by the hashes of their names, resources, scopes and attributes: as
 * many of each tenant as its limit `activeSeries` says. All of them together hold at most `bytesMax`. When that is met, a
 * tenant that holds an equal share or more gets no new series; for one that holds less, the tenant that holds most is
 * forgotten, and gets no more than that share for a while. So a tenant cannot push out the others. A series that was forgotten and
 * comes again counts as new. A series counts from the scan on, also where its export is refused afterwards: it will come again.
 *
 * Each edge counts what it sees itself.
 */
export class ActiveSeries {
  readonly #clock: Clock;
  readonly #bytesMax: number;
  readonly #seed: number;
  readonly #tenants = new Map<string, TenantSeries>();
  #bytes = 0;
  #turnedMs: number;

  /** @param seed random: where a series lies in a table is not for clients to know */
  constructor(clock: Clock, seed: number, { bytesMax }: ActiveSeriesOptions) {
    this.#clock = clock;
    this.#seed = seed;
    this.#bytesMax = bytesMax;
    this.#turnedMs = clock.nowMs();
  }

  /** Of all tables. */
  get bytes(): number {
    return this.#bytes;
  }

  /** What decides on the series of the tenant's next export; undefined where there is no limit. */
  open(tenant: Tenant): SeriesGate | undefined {
    const { activeSeries } = tenant.limits;
    if (activeSeries === 'none') return undefined;
    this.#turn();
    let series = this.#tenants.get(tenant.name);
    if (series === undefined) {
      series = new TenantSeries(this.#seed, (from, bytes) => this.#grow(from, bytes));
      this.#tenants.set(tenant.name, series);
      this.#bytes += TENANT_BYTES;
    }
    series.max = activeSeries;
    return series;
  }

  /** Tenants and how many series each has, most first. */
  entries(): readonly (readonly [tenant: string, active: number])[] {
    this.#turn();
    return [...this.#tenants].map(([name, { active }]) => [name, active] as const).sort((a, b) => b[1] - a[1]);
  }

  /** Two turns forget everything, however long the time. */
  #turn(): void {
    const nowMs = this.#clock.nowMs();
    for (let turns = 0; nowMs - this.#turnedMs >= GENERATION_MS; turns++) {
      this.#turnedMs = turns < 2 ? this.#turnedMs + GENERATION_MS : nowMs;
      for (const [name, series] of this.#tenants) {
        this.#bytes -= series.turn();
        if (series.active > 0) continue;
        this.#bytes -= series.bytes + TENANT_BYTES;
        this.#tenants.delete(name);
      }
    }
  }

  /**
   * Whether a tenant may hold so many bytes more. Where it would not have more than its share, another has, and is the one
   * to be forgotten.
   */
  #grow(series: TenantSeries, bytes: number): boolean {
    const share = this.#bytesMax / this.#tenants.size - TENANT_BYTES;
    const within = series.bytes + bytes <= share;
    if (!within && series.held) return false;
    while (this.#bytes + bytes > this.#bytesMax) if (!within || !this.#forgetLargest()) return false;
    this.#bytes += bytes;
    return true;
  }

  /** False where there is nothing to forget. */
  #forgetLargest(): boolean {
    let largest: TenantSeries | undefined;
    for (const series of this.#tenants.values()) if (series.bytes > (largest?.bytes ?? 0)) largest = series;
    if (largest === undefined) return false;
    this.#bytes -= largest.forget();
    return true;
  }
}

/** The series of one tenant: those seen in this generation, and those seen in the one before. */
class TenantSeries implements SeriesGate {
  max = 0;
  /** Series of both generations, each once. */
  active = 0;
  /** Forgotten in this generation: it took more than its share when others needed theirs. */
  held = false;
  readonly #seed: number;
  readonly #mayGrow: (series: TenantSeries, bytes: number) => boolean;
  #now = new Table(0);
  #before = new Table(0);

  constructor(seed: number, mayGrow: (series: TenantSeries, bytes: number) => boolean) {
    this.#seed = seed;
    this.#mayGrow = mayGrow;
  }

  get bytes(): number {
    return this.#now.bytes + this.#before.bytes;
  }

  admit(lo: number, hi: number): boolean {
    const seeded = mixed(lo ^ this.#seed ^ Math.imul(hi, this.#seed | 1));
    // 0, 0 is an empty slot.
    const key = seeded === 0 && hi === 0 ? 1 : seeded;
    if (this.#now.has(key, hi)) return true;
    const known = this.#before.has(key, hi);
    if (!known && this.active >= this.max) return false;
    if (!this.#makeRoom() || !this.#now.add(key, hi)) return known;
    if (!known) this.active++;
    return true;
  }

  /** A generation is over; returns the bytes that this frees. */
  turn(): number {
    const freed = this.#before.bytes;
    this.#before = this.#now;
    this.#now = new Table(0);
    this.active = this.#before.size;
    this.held = false;
    return freed;
  }

  forget(): number {
    const freed = this.bytes;
    this.#now = new Table(0);
    this.#before = new Table(0);
    this.active = 0;
    this.held = true;
    return freed;
  }

  #makeRoom(): boolean {
    const table = this.#now;
    if (table.size < table.slots * LOAD_MAX) return true;
    const slots = Math.max(SLOTS_MIN, table.slots * 2);
    if (!this.#mayGrow(this, slots * SLOT_BYTES - table.bytes)) return false;
    this.#now = table.grownTo(slots);
    return true;
  }
}

/** Of a hash that clients can work out: with the seed in it, and all bits in each, they cannot fill the table in one place. */
function mixed(bits: number): number {
  const once = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b);
  const twice = Math.imul(once ^ (once >>> 13), 0xc2b2ae35);
  return twice ^ (twice >>> 16);
}

/** A set of pairs of 32-bit integers, other than 0, 0: open addressing, linear probing. */
class Table {
  readonly slots: number;
  size = 0;
  readonly #words: Int32Array;

  /** @param slots a power of two, or 0 */
  constructor(slots: number) {
    this.slots = slots;
    this.#words = new Int32Array(slots * 2);
  }

  get bytes(): number {
    return this.slots * SLOT_BYTES;
  }

  has(lo: number, hi: number): boolean {
    if (this.slots === 0) return false;
    const at = this.#find(lo, hi);
    return at >= 0 && (this.#words[at] !== 0 || this.#words[at + 1] !== 0);
  }

  /** Adds a pair that is not there; false where its place cannot be found in reasonable time. */
  add(lo: number, hi: number): boolean {
    const at = this.#find(lo, hi);
    if (at < 0) return false;
    this.#words[at] = lo;
    this.#words[at + 1] = hi;
    this.size++;
    return true;
  }

  /** A larger one with the same pairs. */
  grownTo(slots: number): Table {
    const grown = new Table(slots);
    const words = this.#words;
    for (let at = 0; at < words.length; at += 2) {
      if (words[at] !== 0 || words[at + 1] !== 0) grown.add(words[at]!, words[at + 1]!);
    }
    return grown;
  }

  /** Where the pair is, or belongs; -1 behind too many others. */
  #find(lo: number, hi: number): number {
    const words = this.#words;
    const mask = words.length - 1;
    let at = (lo << 1) & mask;
    for (let probes = 0; probes < PROBES_MAX; probes++) {
      const word = words[at];
      const other = words[at + 1];
      if ((word === lo && other === hi) || (word === 0 && other === 0)) return at;
      at = (at + 2) & mask;
    }
    return -1;
  }
}
