import { corrupt, type Readable, unknownVersion } from './layout.ts';

/** What one tenant sends to one edge, a second; means of the last seconds. Bytes are of OTLP protobuf, decompressed. */
export interface Demand {
  readonly offeredItems: number;
  /** What was refused included. */
  readonly offeredBytes: number;
  readonly acceptedBytes: number;
}

export interface TenantDemand extends Demand {
  readonly tenant: string;
}

/** What the tenants want of one edge; key of the record is its id. */
export interface DemandReport {
  /** Random id of the edge process, 16 hex digits. */
  readonly edge: string;
  readonly track: string;
  /** By demand, the greatest first; at most {@link DEMAND_TENANTS_MAX}. */
  readonly tenants: readonly TenantDemand[];
  /** All others together. */
  readonly rest: Demand;
  /** The last report of an edge that ends. */
  readonly leaving: boolean;
  /** Wall clock of the edge, ms since the epoch. */
  readonly atMs: number;
}

/** Tenants that a report names: 2,000 are some 100 KB. */
export const DEMAND_TENANTS_MAX = 2_000;

const VERSION = 1;

type Row = readonly [tenant: string, offeredItems: number, offeredBytes: number, acceptedBytes: number];

/** Encodes the value of a weir.demand record; rates are rounded to whole numbers. */
export function encodeDemandReport({ tenants, rest, ...report }: DemandReport): Buffer {
  const rows = tenants.slice(0, DEMAND_TENANTS_MAX).map(({ tenant, ...demand }) => toRow(tenant, demand));
  const text = JSON.stringify({ ...report, tenants: rows, rest: toRow('', rest) });
  return Buffer.concat([Buffer.of(VERSION), Buffer.from(text, 'utf8')]);
}

/** Decodes the value of a weir.demand record. */
export function decodeDemandReport(value: Buffer | null): Readable<DemandReport> {
  if (value === null || value[0] !== VERSION) return unknownVersion('demand', value?.[0]);
  try {
    const { edge, track, tenants, rest, leaving, atMs } = JSON.parse(value.toString('utf8', 1));
    const isHead = typeof edge === 'string' && typeof track === 'string' && typeof leaving === 'boolean';
    const rows: readonly Row[] = [...tenants, rest];
    if (!isHead || !Number.isFinite(atMs) || rows.length > DEMAND_TENANTS_MAX + 1 || !rows.every(isRow)) {
      return corrupt('demand', 'a field is missing');
    }
    const { tenant: _, ...others } = fromRow(rest);
    return { ok: true, value: { edge, track, tenants: tenants.map(fromRow), rest: others, leaving, atMs } };
  } catch {
    return corrupt('demand', 'not JSON');
  }
}

function toRow(tenant: string, { offeredItems, offeredBytes, acceptedBytes }: Demand): Row {
  return [tenant, Math.round(offeredItems), Math.round(offeredBytes), Math.round(acceptedBytes)];
}

function fromRow([tenant, offeredItems, offeredBytes, acceptedBytes]: Row): TenantDemand {
  return { tenant, offeredItems, offeredBytes, acceptedBytes };
}

function isRow(row: unknown): boolean {
  if (!Array.isArray(row) || typeof row[0] !== 'string' || row.length < 4) return false;
  return row.slice(1, 4).every((value) => typeof value === 'number' && Number.isFinite(value) && value >= 0);
}
