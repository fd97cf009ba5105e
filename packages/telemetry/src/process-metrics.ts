import { collectDefaultMetrics, Registry } from 'prom-client';
import type { MetricDeclaration } from './metrics.ts';

/** Adds what every process tells of itself: CPU, memory, files, collections and the delay of its event loop, under the names that all programs on Node have. */
export function measureProcess(registry: Registry): void {
  collectDefaultMetrics({ register: registry });
}

/** What {@link measureProcess} adds, by name. */
export function processMetrics(): readonly MetricDeclaration[] {
  const registry = new Registry();
  measureProcess(registry);
  // prom-client's own objects know more of themselves than their types say.
  const metrics = registry.getMetricsAsArray() as unknown as readonly Known[];
  return metrics.map((metric) => {
    const type = metric.constructor.name.toLowerCase() as MetricDeclaration['type'];
    return { type, name: metric.name, help: metric.help, labels: metric.labelNames };
  });
}

interface Known {
  readonly name: string;
  readonly help: string;
  readonly labelNames: readonly string[];
}
