import { itemsOf, percentiles } from './load-report.ts';
import type { LoadResult, LoadTotals } from './run-load.ts';
import type { Verdict } from './verify.ts';

const rate = (items: number, seconds: number): string =>
  Math.round(items / Math.max(seconds, 0.001)).toLocaleString('en');

/** One line for a terminal, as long as the last one. */
export function progressLine(totals: LoadTotals, seconds: number): string {
  const { acceptedItems, refusedItems, unknownItems, outstanding } = totals;
  const p99 = (totals.latency.getValueAtPercentile(99) / 1_000).toFixed(1);
  return `${seconds.toFixed(1)} s  accepted ${acceptedItems} (${rate(acceptedItems, seconds)}/s)  refused ${refusedItems}  unknown ${unknownItems}  under way ${outstanding}  p99 ${p99} ms`.padEnd(
    120,
  );
}

/** The summary of a run, for people or as JSON. */
export function summaryText(
  result: LoadResult,
  queryableMs: readonly number[],
  verdict: Verdict | undefined,
  json: boolean,
): string {
  const { totals, seconds, run } = result;
  const { p50, p95, p99 } = percentiles(totals.latency);
  const items = itemsOf(totals);
  const queryable = (percentile: number) =>
    queryableMs[Math.min(queryableMs.length - 1, Math.floor((percentile / 100) * queryableMs.length))] ?? null;
  const { sentItems, acceptedItems, refusedItems, unknownItems, unsentItems } = items;
  const summary = {
    run,
    seconds,
    ...items,
    acceptedPerSecond: acceptedItems / seconds,
    reasons: Object.fromEntries(totals.reasons),
    answerMs: { p50, p95, p99 },
    queryableMs: { p50: queryable(50), p95: queryable(95), p99: queryable(99), probes: queryableMs.length },
    ...(verdict === undefined ? {} : { verdict }),
  };
  if (json) return `${JSON.stringify(summary)}\n`;
  const ms = (value: number | null) => (value === null ? 'none' : `${value.toFixed(1)} ms`);
  const lines = [
    '',
    `run ${run}: ${seconds.toFixed(1)} s`,
    `  sent        ${sentItems}`,
    `  accepted    ${acceptedItems} (${rate(acceptedItems, seconds)} a second)`,
    `  refused     ${refusedItems}`,
    `  unknown     ${unknownItems}`,
    `  not sent    ${unsentItems} (too many exports under way)`,
    ...[...totals.reasons].map(([reason, items]) => `    ${reason}: ${items}`),
    `  answer      p50 ${ms(p50)}  p95 ${ms(p95)}  p99 ${ms(p99)}`,
    `  queryable   p50 ${ms(queryable(50))}  p95 ${ms(queryable(95))}  p99 ${ms(queryable(99))} after the answer (${queryableMs.length} probes)`,
  ];
  if (verdict !== undefined) {
    const { stored, lost, doubled, alien, misplaced, examples } = verdict;
    lines.push(
      `  stored      ${stored}; lost ${lost}, doubled ${doubled}, never sent ${alien}, under another tenant ${misplaced}`,
      ...examples.map((one) => `    ${one}`),
    );
  }
  return `${lines.join('\n')}\n`;
}
