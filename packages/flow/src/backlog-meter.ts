import type { FlowReport } from '@weir/records';

/** Bounds of a backlog. */
export interface BacklogBounds {
  readonly bytesMax: number;
  readonly secondsMax: number;
}

/** Where one partition stands. */
export interface PartitionBacklog {
  /** First offset that is not done. */
  readonly doneTo: number;
  /** One past the newest record, as last seen; 0 while nothing is known of the partition. */
  readonly endOffset: number;
  /** Mean size of a record. */
  readonly recordBytes: number;
}

/** How much waits, how fast it drains and grows, and how long it takes at that rate. */
export interface Backlog {
  readonly bytes: number;
  /** Null while no rate is measured. */
  readonly seconds: number | null;
  /** The greater of both over its bound; 1 is full. */
  readonly fill: number;
  /** Null while none is measured. */
  readonly drainBytesPerSecond: number | null;
  readonly inflowBytesPerSecond: number;
  /** Some partition fails, and no other does anything. */
  readonly stalled: boolean;
}

/** Time constant of the rates. */
const SMOOTHING_S = 5;
/** No look counts for more: of a longer pause little is known. */
const LOOK_S_MAX = 2;
/** Looks that a drain is told after: a single one may fall between two steps. */
const LOOKS_MIN = 2;
/** Less than this is no backlog that seconds could be told of: an idle pipe has no rate. */
const BYTES_MIN = 1024 ** 2;
/** While nothing is done the rate goes towards 0; what a report says stays a number. */
const SECONDS_MAX = 86_400;
/** A partition that has done nothing for longer says nothing about what comes behind; a drain that was measured longer ago, nothing about now. */
const IDLE_MS = 10_000;

/** A mean over the last seconds, without a bias towards 0 at its start. */
class Mean {
  #sum = 0;
  #weight = 0;
  /** How often something was added. */
  count = 0;

  copy(): Mean {
    const copy = new Mean();
    copy.#sum = this.#sum;
    copy.#weight = this.#weight;
    copy.count = this.count;
    return copy;
  }

  add(value: number, seconds: number): void {
    const part = -Math.expm1(-seconds / SMOOTHING_S);
    this.#sum += (value - this.#sum) * part;
    this.#weight += (1 - this.#weight) * part;
    this.count++;
  }

  /** 0 before anything was added. */
  get value(): number {
    return this.#weight === 0 ? 0 : this.#sum / this.#weight;
  }
}

interface Seen {
  readonly doneTo: number;
  readonly endOffset: number;
  readonly waitingBytes: number;
  readonly movedMs: number;
}

/** Measures the backlog of some partitions, and the rates at which it drains and grows, from one look to the next. */
export class BacklogMeter {
  readonly #bounds: BacklogBounds;
  readonly #inflow = new Mean();
  /** What was done over all looks, whether anything waited or not: no less can be done. Looks that found a backlog may be just those between two steps. */
  readonly #throughput = new Mean();
  #drain = new Mean();
  /** The drain as it was when something was done last. */
  #drainSure = new Mean();
  #before = new Map<number, Seen>();
  #lastMs: number | undefined;
  /** When a look last found that the drain is no more than it was. */
  #measuredMs = Number.NEGATIVE_INFINITY;

  constructor(bounds: BacklogBounds) {
    this.#bounds = bounds;
  }

  /**
   * To be called at even times. The drain is measured from looks that found a backlog to the next ones: who works in steps does nothing
   * until it is there, and a step that ends it counts too. It is told while a backlog is left for longer than that; what keeps up
   * has done what came, and could have done more. It is measured only over partitions whose writes are taken, of which the backlog in
   * seconds is told as well. Where no such partition does anything the drain from before stays, as what all will drain at when it
   * works again.
   *
   * @param fails whether what the partition writes is not taken
   */
  look(
    partitions: Iterable<readonly [number, PartitionBacklog]>,
    nowMs: number,
    fails: (partition: number) => boolean = () => false,
  ): Backlog {
    const sums = { bytes: 0, workingBytes: 0, waitedBytes: 0, done: 0, came: 0 };
    let works = false;
    let failing = false;
    const now = new Map<number, Seen>();
    for (const [partition, { doneTo, endOffset, recordBytes }] of partitions) {
      const isFailing = fails(partition);
      failing ||= isFailing;
      if (endOffset === 0) continue;
      const unseen = { doneTo, endOffset, waitingBytes: 0, movedMs: Number.NEGATIVE_INFINITY };
      const before = this.#before.get(partition) ?? unseen;
      const movedMs = doneTo > before.doneTo ? nowMs : before.movedMs;
      const waitingBytes = Math.max(0, endOffset - doneTo) * recordBytes;
      sums.bytes += waitingBytes;
      sums.came += Math.max(0, endOffset - before.endOffset) * recordBytes;
      if (!isFailing) {
        sums.workingBytes += waitingBytes;
        sums.waitedBytes += before.waitingBytes;
        sums.done += Math.max(0, doneTo - before.doneTo) * recordBytes;
        works ||= nowMs - movedMs <= IDLE_MS;
      }
      now.set(partition, { doneTo, endOffset, waitingBytes, movedMs });
    }
    const seconds = this.#lastMs === undefined ? 0 : (nowMs - this.#lastMs) / 1_000;
    this.#before = now;
    this.#lastMs = nowMs;
    const stalled = failing && !works;
    if (seconds > 0) this.#inflow.add(sums.came / seconds, seconds);
    if (stalled) {
      this.#drain = this.#drainSure.copy();
      this.#measuredMs = nowMs;
    } else if (seconds > 0) {
      const rate = sums.done / seconds;
      this.#throughput.add(rate, Math.min(seconds, LOOK_S_MAX));
      if (sums.waitedBytes >= BYTES_MIN) this.#measure(rate, seconds, sums.workingBytes >= BYTES_MIN, nowMs);
    }
    return { ...this.#backlog(sums.bytes, stalled ? sums.bytes : sums.workingBytes, nowMs), stalled };
  }

  /** @param isLeft whether a backlog is left; otherwise the drain is this rate or more */
  #measure(rate: number, seconds: number, isLeft: boolean, nowMs: number): void {
    if (isLeft) {
      if (nowMs - this.#measuredMs > IDLE_MS) this.#drain = new Mean();
      this.#measuredMs = nowMs;
    } else if (rate <= this.#drain.value) return;
    this.#drain.add(rate, Math.min(seconds, LOOK_S_MAX));
    if (rate > 0 && this.#drain.count >= LOOKS_MIN) this.#drainSure = this.#drain.copy();
  }

  /** @param drainingBytes of those that the drain is of */
  #backlog(bytes: number, drainingBytes: number, nowMs: number): Omit<Backlog, 'stalled'> {
    const isKnown = this.#drain.count >= LOOKS_MIN && nowMs - this.#measuredMs <= IDLE_MS;
    const drain = isKnown ? Math.max(this.#drain.value, this.#throughput.value) : 0;
    const waiting = drainingBytes >= BYTES_MIN && drain > 0 ? Math.min(SECONDS_MAX, drainingBytes / drain) : null;
    return {
      bytes: Math.round(bytes),
      seconds: waiting,
      fill: Math.max(bytes / this.#bounds.bytesMax, (waiting ?? 0) / this.#bounds.secondsMax),
      drainBytesPerSecond: drain > 0 ? drain : null,
      inflowBytesPerSecond: this.#inflow.value,
    };
  }
}

/** The backlog in the words of a flow report. */
export function backlogReport({
  bytes,
  seconds,
  fill,
  drainBytesPerSecond,
  inflowBytesPerSecond,
}: Backlog): Pick<
  FlowReport,
  'fill' | 'backlogBytes' | 'backlogSeconds' | 'drainBytesPerSecond' | 'inflowBytesPerSecond'
> {
  return { fill, backlogBytes: bytes, backlogSeconds: seconds, drainBytesPerSecond, inflowBytesPerSecond };
}
