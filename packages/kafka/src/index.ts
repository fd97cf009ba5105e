export { createGroupPositions, type GroupPositions } from './group-positions.ts';
export type { KafkaConfig } from './kafka-config.ts';
export { createKafkaLog, type KafkaLog } from './kafka-log.ts';
export type { KafkaLogger } from './kafka-logger.ts';
export { createMembership } from './membership.ts';
export { createKafkaAdmin, type KafkaAdmin, type PartitionLag, type TopicSpec, type TopicState } from './topics.ts';
