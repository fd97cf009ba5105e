import { ClickHouseError } from '@clickhouse/client';
import { DependencyError } from '@weir/pipeline';

/**
 * ClickHouse's error numbers that are a judgement on the bytes of an insert. A closed list: whatever else it answers (a
 * schema that is not applied yet, a grant that was revoked, a full disk, a query that was killed) passes by itself or by an
 * operator's hand, and says nothing about the data. Those that no Native block can cause itself come of an operator's constraints and views.
 */
const REJECTED = new Set([
  6, // CANNOT_PARSE_TEXT
  26, // CANNOT_PARSE_QUOTED_STRING
  27, // CANNOT_PARSE_INPUT_ASSERTION_FAILED
  33, // CANNOT_READ_ALL_DATA
  38, // CANNOT_PARSE_DATE
  41, // CANNOT_PARSE_DATETIME
  53, // TYPE_MISMATCH
  69, // ARGUMENT_OUT_OF_BOUND
  70, // CANNOT_CONVERT_TYPE
  72, // CANNOT_PARSE_NUMBER
  117, // INCORRECT_DATA
  128, // TOO_LARGE_ARRAY_SIZE
  131, // TOO_LARGE_STRING_SIZE
  153, // ILLEGAL_DIVISION
  190, // SIZES_OF_ARRAYS_DONT_MATCH
  321, // VALUE_IS_OUT_OF_RANGE_OF_DATA_TYPE
  349, // CANNOT_INSERT_NULL_IN_ORDINARY_COLUMN
  354, // ZLIB_INFLATE_FAILED
  376, // CANNOT_PARSE_UUID
  395, // FUNCTION_THROW_IF_VALUE_IS_NON_ZERO
  407, // DECIMAL_OVERFLOW
  467, // CANNOT_PARSE_BOOL
  469, // VIOLATED_CONSTRAINT
  561, // ZSTD_DECODER_FAILED
  675, // CANNOT_PARSE_IPV4
  676, // CANNOT_PARSE_IPV6
  691, // UNKNOWN_ELEMENT_OF_ENUM
]);

/** Of a message that goes on: ClickHouse quotes values in some, and those are a tenant's. */
const MESSAGE_CHARS_MAX = 300;

/** Maps anything thrown by the client to a DependencyError, by ClickHouse's error number; the cause is not kept. */
export function fromClickHouseError(error: unknown): DependencyError {
  if (error instanceof DependencyError) return error;
  const text = error instanceof Error ? error.message : 'unknown failure';
  const make = (code: DependencyError['code'], retryable: boolean) =>
    new DependencyError('clickhouse', code, `clickhouse: ${text.split('\n')[0]!.slice(0, MESSAGE_CHARS_MAX)}`, {
      retryable,
    });
  if (!(error instanceof ClickHouseError)) return make('unavailable', true);
  const rejected = REJECTED.has(Number(error.code));
  return make(rejected ? 'rejected' : 'unavailable', !rejected);
}
