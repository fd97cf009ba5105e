export { Registry } from 'prom-client';
export { type AdminOptions, type Check, createAdmin } from './admin.ts';
export { createLogger, LOG_LEVELS, type Logger, type LogLevel } from './logger.ts';
export {
  collectWith,
  createMetrics,
  createTopLabels,
  LATENCY_BUCKETS_S,
  type MetricDeclaration,
  type Metrics,
  type MetricTable,
} from './metrics.ts';
export { measureProcess, processMetrics } from './process-metrics.ts';
