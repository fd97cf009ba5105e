export {
  type BodyFormat,
  encodeExportResponse,
  encodeRetryInfo,
  encodeStatus,
  MESSAGE_CHARS_MAX,
  type StatusContent,
} from './answers.ts';
export {
  CONVENTIONS_SCHEMA_URL,
  CONVENTIONS_VERSION,
  CONVENTIONS_VERSIONS,
  conventionsOf,
  type Renames,
  type Upgrade,
  upgradeFrom,
} from './conventions/conventions.ts';
export { type ItemLimits, type SeriesGate, UNLIMITED } from './item-limits.ts';
export { type FromJson, jsonToProtobuf } from './json.ts';
export { type ScanFault, Scanner, type ScanResult } from './scan.ts';
export { isMetricData } from './scan-metric.ts';
export {
  type FieldSpec,
  KIND,
  KINDS,
  type KindName,
  MESSAGES,
  type MessageName,
} from './schema.ts';
export { splitExport } from './split.ts';
export { DEPTH_MAX } from './structure.ts';
export { protobufToJson } from './to-json.ts';
export { createTotals, limitFaults, ROW_BYTES, repeatedBytesMax, type ScanTotals } from './totals.ts';
export {
  bucketsMatch,
  FIRST_LIMIT_FAULT,
  INVALID_SPAN_ID,
  INVALID_TIME,
  INVALID_TRACE_ID,
  ITEM_FAULTS,
  type ItemFault,
  MISMATCHED_BUCKETS,
  optionalIdValid,
  spanIdValid,
  timeValid,
  traceIdValid,
  VALID,
} from './validity.ts';
export { SHORT, WIRE, type WireFault, WireReader } from './wire.ts';
