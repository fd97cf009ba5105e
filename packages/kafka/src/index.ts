export type { KafkaConfig, KafkaLogger } from './connection.ts';
export { fromKafkaError } from './errors.ts';
export { createKafkaLog, type KafkaLog } from './kafka-log.ts';
export { createMembership } from './membership.ts';
export { createKafkaAdmin, type KafkaAdmin, type PartitionLag, type TopicSpec, type TopicState } from './topics.ts';
