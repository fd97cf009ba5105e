import { type MetricDeclaration, processMetrics } from '@weir/telemetry';
import { SERVICE_METRICS } from './docs-pages.ts';
import { readPromql } from './promql.ts';

/** Labels that Prometheus itself adds, and `le` and `alertname` of its own kinds of series. */
const ADDED_LABELS = ['job', 'instance', 'le', 'alertname'];

/** What Prometheus adds to every target. */
const TARGET_SERIES = 'up';

const DECLARED = [
  ...SERVICE_METRICS.flatMap(({ table }) => Object.values<MetricDeclaration>(table)),
  ...processMetrics(),
];

const SERIES = new Map<string, readonly string[]>([
  [TARGET_SERIES, []],
  ...DECLARED.flatMap((metric) =>
    metric.type === 'histogram'
      ? ['_bucket', '_sum', '_count'].map((end): [string, readonly string[]] => [metric.name + end, metric.labels])
      : [[metric.name, metric.labels] as [string, readonly string[]]],
  ),
]);

/**
 * What a PromQL expression reads that no service has: unknown series, and labels that none of its series carries.
 * Empty where all is known. Throws a SyntaxError where the expression is not PromQL.
 */
export function seriesFaults(expression: string): readonly string[] {
  const { selectors, groupings } = readPromql(expression);
  const known = selectors.filter(({ metric }) => SERIES.has(metric));
  const unknown = selectors.filter((selector) => !known.includes(selector)).map(({ metric }) => metric);
  const carried = new Set([...ADDED_LABELS, ...known.flatMap(({ metric }) => SERIES.get(metric) ?? [])]);
  const labels = [...groupings, ...known.flatMap((selector) => selector.labels)];
  return [...unknown, ...labels.filter((label) => !carried.has(label)).map((label) => `label ${label}`)];
}
