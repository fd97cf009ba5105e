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
  readonly run: () => void;
}

const ROUNDS = 9;
const ROUND_MS = 300;

/**
 * Runs the work over and over; the median of several rounds, by the CPU time of this thread, so that what else the
 * machine does counts little. Per second of one core.
 */
export function measure({ name, items, bytes, run }: Work): Measured {
  round(run);
  const perRun = Array.from({ length: ROUNDS }, () => round(run)).sort((a, b) => a - b);
  const ms = perRun[ROUNDS >> 1]!;
  return { name, itemsPerS: (items / ms) * 1_000, bytesPerS: (bytes / ms) * 1_000 };
}

/** CPU ms of one run. */
function round(run: () => void): number {
  const before = process.threadCpuUsage();
  let runs = 0;
  for (;;) {
    run();
    runs++;
    const { user, system } = process.threadCpuUsage(before);
    const ms = (user + system) / 1_000;
    if (ms >= ROUND_MS) return ms / runs;
  }
}

/** One line of a report. */
export function line({ name, itemsPerS, bytesPerS }: Measured): string {
  const items = Math.round(itemsPerS).toLocaleString('en-US').padStart(12);
  return `${name.padEnd(44)} ${items} items/s ${(bytesPerS / 1e6).toFixed(0).padStart(6)} MB/s`;
}
