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
/** Weight of a mean of more than one second. */
const SURE = 0.2;
/** Less than this is no backlog that seconds could be told of: an idle pipe has no rate. */
const BYTES_MIN = 1024 ** 2;
/** While nothing is done the rate goes towards 0; what a report says stays a number. */
const SECONDS_MAX = 86_400;
/** A partition that has done nothing for longer says nothing about what comes behind. */
const IDLE_MS = 10_000;

/** A mean over the last seconds, without a bias towards 0 at its start. */
class Mean {
  #sum = 0;
  #weight = 0;

  copy(): Mean {
    const copy = new Mean();
    copy.#sum = this.#sum;
    copy.#weight = this.#weight;
    return copy;
  }

  add(value: number, seconds: number): void {
    const part = -Math.expm1(-seconds / SMOOTHING_S);
    this.#sum += (value - this.#sum) * part;
    this.#weight += (1 - this.#weight) * part;
  }

  /** Whether it is of more than one look: a single one may fall between two steps. */
  get isSure(): boolean {
    return this.#weight >= SURE;
  }

  /** 0 before anything was added. */
  get value(): number {
    return this.#weight === 0 ? 0 : this.#sum / this.#weight;
  }
}

interface Seen {
  readonly doneTo: number;
  readonly endOffset: number;
  readonly movedMs: number;
}

/** Measures the backlog of some partitions, and the rates at which it drains and grows, from one look to the next. */
export class BacklogMeter {
  readonly #bounds: BacklogBounds;
  readonly #inflow = new Mean();
  #drain = new Mean();
  /** The drain as it was when something was done last. */
  #drainSure = new Mean();
  #before = new Map<number, Seen>();
  #lastMs: number | undefined;
  /** What waited at the last look where writes are taken. */
  #workingBytes = 0;

  constructor(bounds: BacklogBounds) {
    this.#bounds = bounds;
  }

  /**
   * To be called at even times. The drain is measured from looks that found a backlog to the next ones, otherwise it is the
   * inflow's: who works in steps does nothing until the backlog is there, and a step that ends it counts too. It is measured only over
   * partitions whose writes are taken, of which the backlog in seconds is told as well. Where no such partition does
   * anything the drain from before stays, as what all will drain at when it works again.
   *
   * @param fails whether what the partition writes is not taken
   */
  look(
    partitions: Iterable<readonly [number, PartitionBacklog]>,
    nowMs: number,
    fails: (partition: number) => boolean = () => false,
  ): Backlog {
    const sums = { bytes: 0, workingBytes: 0, done: 0, came: 0 };
    let works = false;
    let failing = false;
    const now = new Map<number, Seen>();
    for (const [partition, { doneTo, endOffset, recordBytes }] of partitions) {
      const isFailing = fails(partition);
      failing ||= isFailing;
      if (endOffset === 0) continue;
      const before = this.#before.get(partition) ?? { doneTo, endOffset, movedMs: Number.NEGATIVE_INFINITY };
      const movedMs = doneTo > before.doneTo ? nowMs : before.movedMs;
      const waiting = Math.max(0, endOffset - doneTo) * recordBytes;
      sums.bytes += waiting;
      sums.came += Math.max(0, endOffset - before.endOffset) * recordBytes;
      if (!isFailing) {
        sums.workingBytes += waiting;
        sums.done += Math.max(0, doneTo - before.doneTo) * recordBytes;
        works ||= nowMs - movedMs <= IDLE_MS;
      }
      now.set(partition, { doneTo, endOffset, movedMs });
    }
    const seconds = this.#lastMs === undefined ? 0 : (nowMs - this.#lastMs) / 1_000;
    this.#before = now;
    this.#lastMs = nowMs;
    const stalled = failing && !works;
    if (seconds > 0) this.#inflow.add(sums.came / seconds, seconds);
    if (stalled) this.#drain = this.#drainSure.copy();
    else if (seconds > 0 && this.#workingBytes >= BYTES_MIN) {
      this.#drain.add(sums.done / seconds, seconds);
      if (sums.done > 0) this.#drainSure = this.#drain.copy();
    }
    this.#workingBytes = sums.workingBytes;
    return { ...this.#backlog(sums.bytes, stalled ? sums.bytes : sums.workingBytes), stalled };
  }

  /** @param drainingBytes of those that the drain is of */
  #backlog(bytes: number, drainingBytes: number): Omit<Backlog, 'stalled'> {
    const drain = this.#drain.isSure ? this.#drain.value : 0;
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
