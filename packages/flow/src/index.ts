export {
  type Backlog,
  type BacklogBounds,
  BacklogMeter,
  backlogReport,
  type PartitionBacklog,
} from './backlog-meter.ts';
export { type BacklogParts, type BacklogWork, createBacklogReporter } from './backlog-reporter.ts';
export { Breaker } from './breaker.ts';
export { FAIR_FILL, FLOW_FRESH_MS, FLOW_REPORTERS_MAX, FlowReports } from './flow-reports.ts';
export { limitShares } from './limit-shares.ts';
export { createPeriodic, type PeriodicParts } from './periodic.ts';
export {
  createRetentionWatch,
  type KeptLog,
  type Retention,
  type RetentionParts,
  type Waiting,
} from './retention-watch.ts';
export { followTopic } from './topic-follower.ts';
export { type Wish, waterLevel } from './water-level.ts';
