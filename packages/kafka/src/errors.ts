import { DependencyError } from '@weir/pipeline';

/** Kafka error codes after which it is certain that nothing was appended, and trying again may help. */
const NOT_APPENDED = new Set([
  3, // UNKNOWN_TOPIC_OR_PARTITION
  5, // LEADER_NOT_AVAILABLE
  6, // NOT_LEADER_OR_FOLLOWER
  9, // REPLICA_NOT_AVAILABLE
  14, // COORDINATOR_LOAD_IN_PROGRESS
  15, // COORDINATOR_NOT_AVAILABLE
  16, // NOT_COORDINATOR
  19, // NOT_ENOUGH_REPLICAS
  33, // UNSUPPORTED_SASL_MECHANISM
  34, // ILLEGAL_SASL_STATE
  56, // KAFKA_STORAGE_ERROR
  58, // SASL_AUTHENTICATION_FAILED
  74, // FENCED_LEADER_EPOCH
  75, // UNKNOWN_LEADER_EPOCH
  89, // THROTTLING_QUOTA_EXCEEDED
]);

/** A commit or heartbeat of a member that the group no longer has. */
const FENCED = new Set([
  22, // ILLEGAL_GENERATION
  25, // UNKNOWN_MEMBER_ID
  27, // REBALANCE_IN_PROGRESS
  82, // FENCED_INSTANCE_ID
]);

/** Answers that will be the same next time. */
const REJECTED = new Set([
  1, // OFFSET_OUT_OF_RANGE
  2, // CORRUPT_MESSAGE
  10, // MESSAGE_TOO_LARGE
  12, // OFFSET_METADATA_TOO_LARGE
  17, // INVALID_TOPIC_EXCEPTION
  18, // RECORD_LIST_TOO_LARGE
  29, // TOPIC_AUTHORIZATION_FAILED
  30, // GROUP_AUTHORIZATION_FAILED
  31, // CLUSTER_AUTHORIZATION_FAILED
  32, // INVALID_TIMESTAMP
  87, // INVALID_RECORD
]);

/** Codes of a connection that was never made. */
const NOT_CONNECTED = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH']);

/** What kafkajs puts around the error that decides. */
const WRAPPERS = new Set(['KafkaJSNumberOfRetriesExceeded', 'KafkaJSNonRetriableError', 'KafkaJSError']);

interface KafkaErrorShape {
  readonly name?: unknown;
  readonly code?: unknown;
  readonly cause?: unknown;
  readonly errors?: unknown;
}

/** The error that decides, within those that kafkajs puts around it. */
export function innermost(error: unknown): unknown {
  const shape = (typeof error === 'object' && error !== null ? error : {}) as KafkaErrorShape;
  const isWrapped = typeof shape.code !== 'number' && WRAPPERS.has(String(shape.name)) && shape.cause !== undefined;
  return isWrapped ? innermost(shape.cause) : error;
}

/** Maps anything thrown by the client to a DependencyError, by error code and class name, never by message. */
export function fromKafkaError(thrown: unknown): DependencyError {
  const error = innermost(thrown);
  if (error instanceof DependencyError) return error;
  const shape = (typeof error === 'object' && error !== null ? error : {}) as KafkaErrorShape;
  const code = typeof shape.code === 'number' ? shape.code : undefined;
  // Of topics that are made together; the message of all says nothing of why.
  if (shape.name === 'KafkaJSAggregateError' && Array.isArray(shape.errors) && shape.errors.length > 0)
    return fromKafkaError(shape.errors[0]);
  const text = error instanceof Error ? error.message : 'unknown failure';
  const make = (kind: DependencyError['code'], retryable: boolean) =>
    new DependencyError('kafka', kind, `kafka: ${text}`, { retryable, cause: error });
  if (code !== undefined && FENCED.has(code)) return make('fenced', false);
  if (code !== undefined && REJECTED.has(code)) return make('rejected', false);
  if (code !== undefined && NOT_APPENDED.has(code)) return make('unavailable', true);
  if (shape.name === 'KafkaJSOffsetOutOfRange') return make('rejected', false);
  if (shape.name === 'KafkaJSBrokerNotFound') return make('unavailable', true);
  // Who is not let in has sent nothing; the broker may yet learn of the user.
  if (shape.name === 'KafkaJSSASLAuthenticationError') return make('unavailable', true);
  // The same error ends the requests of a connection that breaks: only where none was made is it certain.
  if (shape.name === 'KafkaJSConnectionError' && NOT_CONNECTED.has(String(shape.code)))
    return make('unavailable', true);
  if (shape.name === 'KafkaJSMetadataNotLoaded' || shape.name === 'KafkaJSTopicMetadataNotLoaded') {
    return make('unavailable', true);
  }
  return make('timeout', true);
}
