export { damagedExport } from './arbitrary/damaged-export.ts';
export { exportRequest } from './arbitrary/exports.ts';
export { testCertificates } from './certificates.ts';
export { readCommandLine, wrongUsage } from './command-line.ts';
export { currentCommit, isDirty } from './commit.ts';
export { Engine, type EngineRow } from './engine/engine.ts';
export { FakeClock } from './fakes/fake-clock.ts';
export { RecordingConsumer } from './fakes/recording-consumer.ts';
export { RefusingConsumer } from './fakes/refusing-consumer.ts';
export { type Machine, machine } from './machine.ts';
export { median } from './median.ts';
export { decodeJsonExport, encodeJsonExport, readSample, SAMPLES } from './oracle/json.ts';
export {
  decodeExport,
  encodeExport,
  type OracleRequest,
  type OracleRequestInit,
  partialSuccess,
  REQUEST_SCHEMAS,
  RESPONSE_SCHEMAS,
} from './oracle/otlp.ts';
export { exactSelect } from './oracle-rows/exact-select.ts';
export { expectedRows } from './oracle-rows/expected-rows.ts';
export { itemFaults, type OracleLimits } from './oracle-rows/item-faults.ts';
export { type OfficialCounts, officialCounts } from './oracle-rows/official-counts.ts';
export type { ExpectedRow, ExpectedRows, RowOwner } from './oracle-rows/row.ts';
export { Mortal } from './simulation/mortal.ts';
export { type LogFaults, SimulatedLog } from './simulation/simulated-log.ts';
export { createRandom, VirtualTime } from './simulation/virtual-time.ts';
export { cutLog } from './stack/cut-log.ts';
export { type GrpcAnswer, type HttpAnswer, OtlpClient } from './stack/otlp-client.ts';
export { type ProcStat, parseProcStat, readProcStat, ticksPerSecond } from './stack/proc-stat.ts';
export { type ProcessUsage, readUsage } from './stack/process-usage.ts';
export {
  caseTenant,
  freePorts,
  pause,
  readMetric,
  type StackOptions,
  TestStack,
} from './stack/test-stack.ts';
export {
  ExportWire,
  WIRE_PLACES,
  WIRE_TRANSPORTS,
  type WireExport,
  type WireOutcome,
  type WirePlace,
  type WireTarget,
  type WireTransport,
  wireTarget,
} from './wire/export-wire.ts';
export { GRPC_METHODS, GrpcWire, type GrpcWireAnswer, type GrpcWireCall, grpcFrame } from './wire/grpc-wire.ts';
export { type Http1Answer, type Http1Request, Http1Wire, http1Bytes } from './wire/http1-wire.ts';
export { protoField } from './wire/proto-field.ts';
export { decodeRetryInfo, decodeRpcStatus, type RpcDetail, type RpcStatus } from './wire/rpc-status.ts';
