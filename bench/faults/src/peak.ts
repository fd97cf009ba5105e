import { countRows, Journal, runLoad, searchRate, untilStored } from '@weir/bench-load';
import { faultLoad } from './fault-load.ts';
import type { FaultStack } from './fault-stack.ts';

/** What one rate showed. */
export interface PeakStep {
  /** Spans a second. */
  readonly rate: number;
  /** Of all spans that were due, those that were acknowledged, 0 to 1. */
  readonly accepted: number;
  readonly p99Ms: number;
  /** From the end of the load until all acknowledged items could be queried, s. */
  readonly recoveryS: number;
}

/** The highest rate that was borne, 0 where none was, and what was tried. */
export interface Peak {
  readonly rate: number;
  readonly steps: readonly PeakStep[];
}

const STEP_S = 8;
const FIRST_RATE = 20_000;
const RATE_MIN = 1_000;
const GROWTH = 1.5;
const REFINEMENTS = 3;
const P99_MS_MAX = 1_000;
const ACCEPTED_MIN = 0.99;
const RECOVERY_S_MAX = 5;
const GIVE_UP_MS = 60_000;
const ROUND = 500;

/** Whether the whole pipe bore a rate: answers in time, and no backlog left behind. */
export function isBorne({ accepted, p99Ms, recoveryS }: PeakStep): boolean {
  return accepted >= ACCEPTED_MIN && p99Ms <= P99_MS_MAX && recoveryS <= RECOVERY_S_MAX;
}

/** Grows the rate until it is not borne any more, and halves the distance a few times. */
export async function searchPeak(measure: (rate: number) => Promise<PeakStep>): Promise<Peak> {
  const steps: PeakStep[] = [];
  const bears = async (rate: number): Promise<boolean> => {
    const step = await measure(rate);
    steps.push(step);
    return isBorne(step);
  };
  const search = { from: FIRST_RATE, growth: GROWTH, refinements: REFINEMENTS, round: ROUND, least: RATE_MIN };
  return { rate: await searchRate(search, bears), steps };
}

/** Loads the stack at one rate, without a fault. */
export async function measureRate({ stack }: FaultStack, rate: number, seconds = STEP_S): Promise<PeakStep> {
  const { clickhouse } = stack.local;
  const journal = new Journal();
  const rowsBefore = await countRows(clickhouse);
  const fromMs = Date.now() - 1_000;
  const { run, totals } = await runLoad(faultLoad(stack, rate, seconds), { onFate: (fate) => journal.add(fate) });
  const endedMs = performance.now();
  const range = { fromMs, toMs: Date.now() + 1_000 };
  const storedMs = await untilStored(clickhouse, run, journal, GIVE_UP_MS, { range, rowsBefore });
  const { sentItems, unsentItems, acceptedItems, latency } = totals;
  return {
    rate,
    accepted: acceptedItems / (sentItems + unsentItems),
    p99Ms: latency.getValueAtPercentile(99) / 1_000,
    recoveryS: storedMs === undefined ? GIVE_UP_MS / 1_000 : (storedMs - endedMs) / 1_000,
  };
}
