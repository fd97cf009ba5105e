export { NORMALIZER_CONFIG } from './config.ts';
export { NORMALIZER_METRICS } from './metrics.ts';
export { PartitionWorker } from './partition-worker.ts';
