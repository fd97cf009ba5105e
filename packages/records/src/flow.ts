import { corrupt, type Readable, unknownVersion } from './layout.ts';

export const FLOW_ROLES = ['sink', 'normalizer'] as const;
export type FlowRole = (typeof FLOW_ROLES)[number];

const BREAKER_STATES = ['closed', 'open', 'half_open'] as const;

/** Whether what a process writes to takes it. */
export interface BreakerReport {
  /** `closed`: it does. `open`: it fails, and the next try is still to come. `half_open`: that try is under way. */
  readonly state: (typeof BREAKER_STATES)[number];
  /** For how long it has failed, ms; 0 where it is closed. */
  readonly forMs: number;
  /** Until it is tried again, ms; 0 unless it is open. */
  readonly waitMs: number;
}

/** How full one sink or normalizer is; key of the record is its id. Bytes are those of the log that it reads. */
export interface FlowReport {
  /** Random id of the reporting process, 16 hex digits. */
  readonly reporter: string;
  readonly track: string;
  readonly role: FlowRole;
  /** 0 and up; 1 is the bound. */
  readonly fill: number;
  /** Not yet in ClickHouse, or in the rows log, over the partitions that it owns. */
  readonly backlogBytes: number;
  /** Backlog at the measured drain rate, s; null while no rate is measured. */
  readonly backlogSeconds: number | null;
  /** Null while none is measured. */
  readonly drainBytesPerSecond: number | null;
  readonly inflowBytesPerSecond: number;
  readonly breaker: BreakerReport;
  /** The last report of a process that ends: nobody is to wait for another one. */
  readonly leaving: boolean;
  /** Wall clock of the reporter, ms since the epoch. */
  readonly atMs: number;
}

const VERSION = 2;
const FIRST_VERSION = 1;

/** Encodes the value of a weir.flow record. */
export function encodeFlowReport(report: FlowReport): Buffer {
  return Buffer.concat([Buffer.of(VERSION), Buffer.from(JSON.stringify(report), 'utf8')]);
}

/** Decodes the value of a weir.flow record. Version 1, which sinks alone wrote, is understood: an upgrade goes process by process. */
export function decodeFlowReport(value: Buffer | null): Readable<FlowReport> {
  const version = value?.[0];
  if (value === null || (version !== VERSION && version !== FIRST_VERSION)) return unknownVersion('flow', version);
  try {
    const body = JSON.parse(value.toString('utf8', 1)) as FlowReport;
    const report = version === VERSION ? body : fromFirst(body as unknown as FirstReport);
    return isReport(report) ? { ok: true, value: report } : corrupt('flow', 'a field is missing');
  } catch {
    return corrupt('flow', 'not JSON');
  }
}

interface FirstReport
  extends Pick<FlowReport, 'reporter' | 'track' | 'fill' | 'backlogBytes' | 'backlogSeconds' | 'atMs'> {
  readonly healthy: boolean;
}

/** It does not say what comes in, so nothing is inferred from its drain either. */
function fromFirst({ healthy, ...report }: FirstReport): FlowReport {
  const breaker = { state: healthy ? 'closed' : 'half_open', forMs: 0, waitMs: 0 } as const;
  return { ...report, role: 'sink', drainBytesPerSecond: null, inflowBytesPerSecond: 0, breaker, leaving: false };
}

function isReport(report: FlowReport): boolean {
  const { backlogBytes, backlogSeconds, drainBytesPerSecond, inflowBytesPerSecond, breaker } = report;
  return (
    [report.fill, report.atMs, backlogBytes, inflowBytesPerSecond, breaker.forMs, breaker.waitMs].every(isAmount) &&
    [backlogSeconds, drainBytesPerSecond].every((one) => one === null || isAmount(one)) &&
    [report.reporter, report.track].every((one) => typeof one === 'string') &&
    FLOW_ROLES.includes(report.role) &&
    BREAKER_STATES.includes(breaker.state) &&
    typeof report.leaving === 'boolean'
  );
}

function isAmount(value: unknown): boolean {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0;
}
