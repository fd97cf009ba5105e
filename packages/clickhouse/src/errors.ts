import { ClickHouseError } from '@clickhouse/client';
import { DependencyError } from '@weir/pipeline';

/**
 * ClickHouse's error numbers after which the same insert may succeed later. Everything else that ClickHouse answers is a
 * judgement on the query or its data.
 */
const RETRYABLE = new Set([
  3, // UNEXPECTED_END_OF_FILE: the body was cut
  74, // CANNOT_READ_FROM_FILE_DESCRIPTOR
  75, // CANNOT_WRITE_TO_FILE_DESCRIPTOR
  76, // CANNOT_OPEN_FILE
  159, // TIMEOUT_EXCEEDED
  160, // TOO_SLOW
  164, // READONLY
  202, // TOO_MANY_SIMULTANEOUS_QUERIES
  203, // NO_FREE_CONNECTION
  209, // SOCKET_TIMEOUT
  210, // NETWORK_ERROR
  236, // ABORTED
  241, // MEMORY_LIMIT_EXCEEDED
  242, // TABLE_IS_READ_ONLY
  243, // NOT_ENOUGH_SPACE
  252, // TOO_MANY_PARTS
  285, // TOO_FEW_LIVE_REPLICAS
  286, // UNSATISFIED_QUORUM_FOR_PREVIOUS_WRITE
  289, // REPLICA_IS_NOT_IN_QUORUM
  319, // UNKNOWN_STATUS_OF_INSERT
  394, // QUERY_WAS_CANCELLED
  415, // ALL_REPLICAS_LOST
  425, // SYSTEM_ERROR
  439, // CANNOT_SCHEDULE_TASK
  473, // DEADLOCK_AVOIDED
  516, // AUTHENTICATION_FAILED: an operator mends it, the data is good
  60, // UNKNOWN_TABLE: the schema is being applied
  81, // UNKNOWN_DATABASE
  999, // KEEPER_EXCEPTION
]);

/** Maps anything thrown by the client to a DependencyError, by ClickHouse's error number. */
export function fromClickHouseError(error: unknown): DependencyError {
  if (error instanceof DependencyError) return error;
  const text = error instanceof Error ? error.message : 'unknown failure';
  const make = (code: DependencyError['code'], retryable: boolean) =>
    new DependencyError('clickhouse', code, `clickhouse: ${text.split('\n')[0]}`, { retryable, cause: error });
  if (!(error instanceof ClickHouseError)) return make('unavailable', true);
  const retryable = RETRYABLE.has(Number(error.code));
  return make(retryable ? 'unavailable' : 'rejected', retryable);
}
