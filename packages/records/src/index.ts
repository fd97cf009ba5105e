export {
  DEMAND_TENANTS_MAX,
  type Demand,
  type DemandReport,
  decodeDemandReport,
  encodeDemandReport,
  type TenantDemand,
} from './demand.ts';
export { DLQ_REASONS, type DlqMeta, type DlqReason, decodeDlqMeta, dlqKey, encodeDlqMeta } from './dlq.ts';
export {
  type BreakerReport,
  decodeFlowReport,
  encodeFlowReport,
  FLOW_ROLES,
  type FlowReport,
  type FlowRole,
} from './flow.ts';
export { laneOf, MIXED_LANE } from './lanes.ts';
export type { Readable, Unreadable } from './layout.ts';
export { decodeNote, encodeNote, isNote, type Note } from './note.ts';
export { decodeProgress, encodeProgress, type Progress, progressKey } from './progress.ts';
export { decodeRawMeta, ENCODINGS, type Encoding, encodeRawMeta, type RawMeta } from './raw.ts';
export { rawPosition, readRawPosition } from './raw-position.ts';
export {
  type BookedLetters,
  decodeRedriveEntry,
  encodeRedriveEntry,
  type RedriveEntry,
  type TurnScope,
} from './redrives.ts';
export { encodeRejectedItems, type RejectedItems, RejectedWalk } from './rejected-items.ts';
export {
  decodeRowsMeta,
  type EdgeMark,
  encodeRowsMeta,
  type Fence,
  type RowsMeta,
  type RowsSection,
} from './rows.ts';
export { TABLE_COLUMNS, type TableColumn, tableLayouts } from './table-columns.ts';
export { signalOf, TABLES, type TableName } from './tables.ts';
export { DEFAULTS_KEY, decodeTenantValue, encodeTenantValue } from './tenants.ts';
export { CONTROL_TOPICS, isTrack, type Track, trackGroups, trackTopics } from './topics.ts';
export { minuteOf, type Usage, type UsageOutcome, UsageTally } from './usage.ts';
export { usageBlock } from './usage-rows.ts';
