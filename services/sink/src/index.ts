export { SINK_CONFIG } from './config.ts';
export { BatchInserter } from './insert/batch-inserter.ts';
export { SINK_METRICS } from './metrics.ts';
export { PartitionWorker } from './partition-worker.ts';
