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
}

/** Time constant of the rates. */
const SMOOTHING_S = 5;
/** Less than this is no backlog that seconds could be told of: an idle pipe has no rate. */
const BYTES_MIN = 1024 ** 2;
/** While nothing is done the rate goes towards 0; what a report says stays a number. */
const SECONDS_MAX = 86_400;

/** A mean over the last seconds, without a bias towards 0 at its start. */
class Mean {
  #sum = 0;
  #weight = 0;

  add(value: number, seconds: number): void {
    const part = -Math.expm1(-seconds / SMOOTHING_S);
    this.#sum += (value - this.#sum) * part;
    this.#weight += (1 - this.#weight) * part;
  }

  /** 0 before anything was added. */
  get value(): number {
    return this.#weight === 0 ? 0 : this.#sum / this.#weight;
  }
}

/** Measures the backlog of some partitions, and the rates at which it drains and grows, from one look to the next. */
export class BacklogMeter {
  readonly #bounds: BacklogBounds;
  readonly #drain = new Mean();
  readonly #inflow = new Mean();
  #before = new Map<number, PartitionBacklog>();
  #lastMs: number | undefined;

  constructor(bounds: BacklogBounds) {
    this.#bounds = bounds;
  }

  /**
   * To be called at even times. The drain is measured only while there is a backlog, otherwise it is the inflow's; and only
   * while what comes behind works: what is known from before is what it will drain at when it works again.
   */
  look(partitions: Iterable<readonly [number, PartitionBacklog]>, nowMs: number, works = true): Backlog {
    let bytes = 0;
    let done = 0;
    let came = 0;
    const now = new Map<number, PartitionBacklog>();
    for (const [partition, { doneTo, endOffset, recordBytes }] of partitions) {
      if (endOffset === 0) continue;
      bytes += Math.max(0, endOffset - doneTo) * recordBytes;
      const before = this.#before.get(partition);
      if (before !== undefined) {
        done += Math.max(0, doneTo - before.doneTo) * recordBytes;
        came += Math.max(0, endOffset - before.endOffset) * recordBytes;
      }
      now.set(partition, { doneTo, endOffset, recordBytes });
    }
    const seconds = this.#lastMs === undefined ? 0 : (nowMs - this.#lastMs) / 1_000;
    this.#before = now;
    this.#lastMs = nowMs;
    if (seconds > 0) {
      this.#inflow.add(came / seconds, seconds);
      if (works && bytes >= BYTES_MIN) this.#drain.add(done / seconds, seconds);
    }
    return this.#backlog(bytes);
  }

  #backlog(bytes: number): Backlog {
    const drain = this.#drain.value;
    const waiting = bytes >= BYTES_MIN && drain > 0 ? Math.min(SECONDS_MAX, bytes / drain) : null;
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
