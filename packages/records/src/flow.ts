import { corrupt, type Readable, unknownVersion } from './layout.ts';

/** How full one sink process is; key of the record is its id. */
export interface FlowReport {
  /** Random id of the reporting process, 16 hex digits. */
  readonly reporter: string;
  readonly track: string;
  /** Rows-log bytes not yet in ClickHouse over the partitions it owns. */
  readonly backlogBytes: number;
  /** Backlog at the measured drain rate, s; null while no rate is measured. */
  readonly backlogSeconds: number | null;
  /** 0 and up; 1 is the bound. */
  readonly fill: number;
  /** Whether inserts succeed. */
  readonly healthy: boolean;
  /** Wall clock of the reporter, ms since the epoch. */
  readonly atMs: number;
}

const VERSION = 1;

/** Encodes the value of a weir.flow record. */
export function encodeFlowReport(report: FlowReport): Buffer {
  return Buffer.concat([Buffer.of(VERSION), Buffer.from(JSON.stringify(report), 'utf8')]);
}

/** Decodes the value of a weir.flow record. */
export function decodeFlowReport(value: Buffer | null): Readable<FlowReport> {
  if (value === null || value[0] !== VERSION) return unknownVersion('flow', value?.[0]);
  try {
    const body = JSON.parse(value.toString('utf8', 1)) as FlowReport;
    const numbers = [body.backlogBytes, body.fill, body.atMs];
    if (!numbers.every(Number.isFinite) || typeof body.reporter !== 'string' || typeof body.track !== 'string') {
      return corrupt('flow', 'a field is missing');
    }
    return { ok: true, value: body };
  } catch {
    return corrupt('flow', 'not JSON');
  }
}
