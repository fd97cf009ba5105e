export { NORMALIZER_CONFIG } from './config.ts';
export type { RawEntry } from './exports.ts';
export { NORMALIZER_METRICS } from './metrics.ts';
export type { Normalized } from './normalize.ts';
export { PartitionWorker } from './partition-worker.ts';
export { RowsRecordBuilder } from './publish/rows-record.ts';
export { Transcoder } from './transcode/transcoder.ts';
