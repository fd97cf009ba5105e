import type { MetricDeclaration } from '@weir/telemetry';
import { SERVICE_METRICS } from './docs-pages.ts';
import { readPromql } from './promql.ts';

/** Labels that Prometheus itself adds, and `le` and `alertname` of its own kinds of series. */
const ADDED_LABELS = ['job', 'instance', 'le', 'alertname'];

/** What prom-client and Prometheus add to every process. */
const PROCESS_SERIES = new Set([
  'up',
  'process_cpu_seconds_total',
  'process_resident_memory_bytes',
  'nodejs_eventloop_lag_p99_seconds',
]);

const SERIES = new Map<string, readonly string[]>(
  SERVICE_METRICS.flatMap(({ table }) => Object.values<MetricDeclaration>(table)).flatMap((metric) =>
    metric.type === 'histogram'
      ? ['_bucket', '_sum', '_count'].map((end): [string, readonly string[]] => [metric.name + end, metric.labels])
      : [[metric.name, metric.labels]],
  ),
);

/**
 * What a PromQL expression reads that no service has: unknown series, and labels that none of its series carries.
 * Empty where all is known. Throws a SyntaxError where the expression is not PromQL.
 */
export function seriesFaults(expression: string): readonly string[] {
  const { selectors, groupings } = readPromql(expression);
  const known = selectors.filter(({ metric }) => SERIES.has(metric) || PROCESS_SERIES.has(metric));
  const unknown = selectors.filter((selector) => !known.includes(selector)).map(({ metric }) => metric);
  const carried = new Set([...ADDED_LABELS, ...known.flatMap(({ metric }) => SERIES.get(metric) ?? [])]);
  const labels = [...groupings, ...known.flatMap((selector) => selector.labels)];
  return [...unknown, ...labels.filter((label) => !carried.has(label)).map((label) => `label ${label}`)];
}
