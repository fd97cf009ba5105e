/** What one way of doing a thing costs. */
export interface Measured {
  readonly name: string;
  readonly itemsPerS: number;
  readonly bytesPerS: number;
}

/** Work on one batch. */
export interface Work {
  readonly name: string;
  readonly items: number;
  /** Bytes of the OTLP protobuf that the batch is. */
  readonly bytes: number;
  /** Does it once. */
  readonly run: () => unknown;
}

/** How long to measure. */
export interface MeasureOptions {
  readonly rounds: number;
  readonly roundMs: number;
}

export const FULL: MeasureOptions = { rounds: 9, roundMs: 300 };
export const QUICK: MeasureOptions = { rounds: 3, roundMs: 100 };

/**
 * Runs the work over and over; the median of several rounds, by the CPU time of this thread, so that what else the
 * machine does counts little. Per second of one core.
 */
export function measure({ name, items, bytes, run }: Work, { rounds, roundMs }: MeasureOptions): Measured {
  round(run, roundMs);
  const perRun = Array.from({ length: rounds }, () => round(run, roundMs)).sort((a, b) => a - b);
  const ms = perRun[rounds >> 1]!;
  return { name, itemsPerS: (items / ms) * 1_000, bytesPerS: (bytes / ms) * 1_000 };
}

/** CPU ms of one run. */
function round(run: () => unknown, roundMs: number): number {
  const before = process.threadCpuUsage();
  for (let runs = 1; ; runs++) {
    run();
    const { user, system } = process.threadCpuUsage(before);
    const ms = (user + system) / 1_000;
    if (ms >= roundMs) return ms / runs;
  }
}

const NAME_WIDTH = 48;

/** One line of a report. */
export function line({ name, itemsPerS, bytesPerS }: Measured): string {
  const items = Math.round(itemsPerS).toLocaleString('en-US').padStart(12);
  return `${name.padEnd(NAME_WIDTH)} ${items} items/s ${(bytesPerS / 1e6).toFixed(0).padStart(6)} MB/s`;
}

/** How many times as fast the first is. */
export function ratio(ours: Measured, other: Measured): string {
  return `${'  ratio'.padEnd(NAME_WIDTH)} ${(ours.itemsPerS / other.itemsPerS).toFixed(1).padStart(12)}`;
}
