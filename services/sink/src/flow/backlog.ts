/** Bounds of the backlog. */
export interface BacklogBounds {
  readonly bytesMax: number;
  readonly secondsMax: number;
}

/** How much waits, and how long that takes at the measured rate. */
export interface Backlog {
  readonly bytes: number;
  /** Null while no rate is measured. */
  readonly seconds: number | null;
  /** The greater of both over its bound; 1 is full. */
  readonly fill: number;
}

/** One partition's share of the backlog. */
export interface PartitionBacklog {
  readonly storedTo: number;
  readonly endOffset: number;
  readonly recordBytes: number;
}

const SMOOTHING = 0.2;
/** Less than this is no backlog that seconds could be told of: an idle pipe has no rate. */
const BYTES_MIN = 1024 ** 2;
/** While nothing is stored the rate goes towards 0; what a report says stays a number. */
const SECONDS_MAX = 86_400;

/** Measures the backlog and the rate at which it drains, from what is stored between one look and the next. */
export class BacklogMeter {
  readonly #bounds: BacklogBounds;
  #storedBytes = 0;
  #lastMs: number | undefined;
  #rate = 0;

  constructor(bounds: BacklogBounds) {
    this.#bounds = bounds;
  }

  stored(bytes: number): void {
    this.#storedBytes += bytes;
  }

  /** To be called at even times. The rate is measured only while there is a backlog: otherwise it is the inflow's. */
  look(partitions: readonly PartitionBacklog[], nowMs: number): Backlog {
    let bytes = 0;
    for (const { storedTo, endOffset, recordBytes } of partitions)
      bytes += Math.max(0, endOffset - storedTo) * recordBytes;
    const seconds = this.#lastMs === undefined ? 0 : (nowMs - this.#lastMs) / 1_000;
    this.#lastMs = nowMs;
    if (seconds > 0 && bytes >= BYTES_MIN) {
      const rate = this.#storedBytes / seconds;
      this.#rate = this.#rate === 0 ? rate : this.#rate + (rate - this.#rate) * SMOOTHING;
    }
    this.#storedBytes = 0;
    const waiting = bytes >= BYTES_MIN && this.#rate > 0 ? Math.min(SECONDS_MAX, bytes / this.#rate) : null;
    const fill = Math.max(bytes / this.#bounds.bytesMax, (waiting ?? 0) / this.#bounds.secondsMax);
    return { bytes: Math.round(bytes), seconds: waiting, fill };
  }
}
