export { appendUntilAcked } from './append-until-acked.ts';
export {
  type CommitMetadata,
  CUT_PARTITIONS_MAX,
  decodeCommitMetadata,
  encodeCommitMetadata,
  isCommitMetadata,
  type LeaderOfCut,
} from './commit-metadata.ts';
export {
  type Cut,
  CutLedger,
  type CutRange,
  insertToken,
  type RefusedOfCut,
  type SinkStart,
  sinkStart,
} from './cut-ledger.ts';
export { EdgeMarks } from './edge-marks.ts';
export { type GroupEvents, GroupWorkers, type PartitionWork } from './group-workers.ts';
export {
  type Committed,
  type Log,
  type LogPage,
  type LogRecord,
  type Membership,
  type MembershipEvents,
  type NewRecord,
  type Positions,
  REVISIONS,
} from './log.ts';
export { lostEndError } from './log-end.ts';
export {
  fillLostEnd,
  findLostEnd,
  LOST_RECORDS_MAX,
  type LostEnd,
  type RecordedPositions,
  reaching,
  recutBroken,
  type SourceAndRows,
} from './lost-end.ts';
export { type LaneOptions, PartitionLane, type Published, type RawRecord } from './partition-lane.ts';
export { ProgressLog, sinkPosition } from './progress-log.ts';
export { RefusedUnits, type Unit, type UnitState } from './refused-units.ts';
export { INITIAL_STATE, type ReaderState, RowsReader } from './rows-reader.ts';
export { type RowsContent, RowsWriter } from './rows-writer.ts';
export { type Ownership, type RowsPartition, takeOver } from './take-over.ts';
