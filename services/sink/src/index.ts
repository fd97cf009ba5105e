export type { BatchCut } from './batches.ts';
export { SINK_CONFIG } from './config.ts';
export { HeldAnswers } from './consume/held-answers.ts';
export { Cutter } from './cutter.ts';
export { BatchInserter, type InsertEvents } from './insert/batch-inserter.ts';
export type { OpenBlock, RowBlocks } from './insert/row-blocks.ts';
export { SINK_METRICS } from './metrics.ts';
export { PartitionWorker } from './partition-worker.ts';
export { RecordedCuts } from './recorded-cuts.ts';
