import type { Histogram } from 'hdr-histogram-js';
import type { ExportFates } from './export-fates.ts';
import type { LoadResult, LoadTotals } from './run-load.ts';

/** Percentiles of a time, ms. */
export interface Percentiles {
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
  readonly max: number;
}

/** What came of a load, as plain values. */
export interface LoadReport {
  readonly run: string;
  readonly seconds: number;
  readonly sentItems: number;
  readonly acceptedItems: number;
  readonly refusedItems: number;
  readonly unknownItems: number;
  readonly unsentItems: number;
  readonly reasons: Readonly<Record<string, number>>;
  /** From when exports were due to their answers. */
  readonly answerMs: Percentiles;
  /** What the generator was late with sending. */
  readonly latenessMs: Percentiles;
  /** CPU seconds of the generator itself. */
  readonly generatorCpuS: number;
  /** Of ready exports they say little: the ids of these repeat. */
  readonly fates: ExportFates;
}

export function loadReport(
  { run, seconds, totals }: LoadResult,
  generatorCpuS: number,
  fates: ExportFates,
): LoadReport {
  return {
    run,
    seconds,
    ...itemsOf(totals),
    reasons: Object.fromEntries(totals.reasons),
    answerMs: percentiles(totals.latency),
    latenessMs: percentiles(totals.lateness),
    generatorCpuS,
    fates,
  };
}

/** How many items had which fate. */
export function itemsOf(totals: LoadTotals) {
  const { sentItems, acceptedItems, refusedItems, unknownItems, unsentItems } = totals;
  return { sentItems, acceptedItems, refusedItems, unknownItems, unsentItems };
}

/** Of times in microseconds. */
export function percentiles(times: Histogram): Percentiles {
  const at = (percentile: number) => times.getValueAtPercentile(percentile) / 1_000;
  return { p50: at(50), p95: at(95), p99: at(99), max: times.maxValue / 1_000 };
}
