import { median } from '@weir/testkit';
/** Work on one batch, done in two ways. */
export interface Pair {
  /** Names it in the file of known ratios. */
  readonly name: string;
  readonly items: number;
  /** Bytes of the OTLP protobuf that the batch is. */
  readonly bytes: number;
  readonly ours: () => unknown;
  readonly reference: () => unknown;
}

/** How long to measure. */
export interface MeasureOptions {
  /** At least 5, so that a median says something. */
  readonly rounds: number;
  readonly roundMs: number;
}

/** What a pair costs, and how many times as much the plain way does. */
export interface Compared {
  readonly name: string;
  /** CPU seconds for a million items, medians of the rounds. */
  readonly oursS: number;
  readonly referenceS: number;
  /** Median of the rounds' ratios, reference to ours: the more the better. */
  readonly ratio: number;
  /** Megabytes of OTLP that a core takes in a second, ours. */
  readonly megabytesPerS: number;
}

export const FULL: MeasureOptions = { rounds: 15, roundMs: 400 };
export const QUICK: MeasureOptions = { rounds: 11, roundMs: 200 };

/**
 * Both ways in turn, round by round, so that what else the machine does strikes both. CPU of the whole process: the
 * collector of garbage works in threads of its own.
 */
export function compare(pair: Pair, { rounds, roundMs }: MeasureOptions): Compared {
  const { name, items, bytes } = pair;
  round(pair.ours, roundMs);
  round(pair.reference, roundMs);
  const both = Array.from({ length: rounds }, () => ({
    oursMs: round(pair.ours, roundMs),
    referenceMs: round(pair.reference, roundMs),
  }));
  const oursMs = median(both.map((one) => one.oursMs));
  return {
    name,
    oursS: (oursMs / items) * 1_000,
    referenceS: (median(both.map((one) => one.referenceMs)) / items) * 1_000,
    ratio: median(both.map((one) => one.referenceMs / one.oursMs)),
    megabytesPerS: bytes / oursMs / 1_000,
  };
}

/** CPU ms of one run. */
function round(run: () => unknown, roundMs: number): number {
  for (let runs = 1, ms = 0; ; runs++) {
    ms += cpuMs(run);
    if (ms >= roundMs) return ms / runs;
  }
}

/** CPU milliseconds of this process that the work takes, every thread included. */
export function cpuMs(work: () => unknown): number {
  const before = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1_000;
}
