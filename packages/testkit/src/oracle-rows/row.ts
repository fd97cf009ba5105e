import type { TableName } from '@weir/records';
import type { InstrumentationScope } from '../oracle/generated/opentelemetry/proto/common/v1/common_pb.ts';
import type { Resource } from '../oracle/generated/opentelemetry/proto/resource/v1/resource_pb.ts';
import { anyValueText, type Pairs, pairsOf } from './any-value-text.ts';

/** Whose export it was and when it came. */
export interface RowOwner {
  readonly tenant: string;
  readonly retentionDays: number;
  readonly receivedAtNs: bigint;
  readonly rawPosition?: bigint;
}

/** A cell as {@link exactSelect} has ClickHouse say it. */
export type Cell = string | number | boolean | Pairs | readonly Cell[];

export type ExpectedRow = Record<string, Cell>;

/** What is to be in the tables, and how many items are to be dead-lettered for what. */
export interface ExpectedRows {
  readonly rows: Partial<Record<TableName, ExpectedRow[]>>;
  readonly invalid: Record<string, number>;
}

/** First time that cannot be stored. */
const TIME_END = (9_214_646_400_000_000_000n >> 32n) << 32n;

export function timeStorable(time: bigint): boolean {
  return time < TIME_END;
}

/** A time inside an item (an event's, an exemplar's): one that cannot be stored is 0. */
export function innerTime(time: bigint): string {
  return timeStorable(time) ? time.toString() : '0';
}

/** Lower-case hex; an id of zeros is no id. */
export function hexId(id: Uint8Array): string {
  return id.every((byte) => byte === 0) ? '' : Buffer.from(id).toString('hex');
}

export function number(value: number): Cell {
  if (Number.isNaN(value)) return 'nan';
  if (Math.abs(value) === Number.POSITIVE_INFINITY) return value > 0 ? 'inf' : '-inf';
  return value;
}

export function ownerCells(owner: RowOwner): ExpectedRow {
  return {
    TenantId: owner.tenant,
    RetentionDays: owner.retentionDays,
    ReceivedDay: new Date(Number(owner.receivedAtNs / 1_000_000n)).toISOString().slice(0, 10),
    RawPosition: String(owner.rawPosition ?? 0n),
  };
}

export function resourceCells(resource: Resource | undefined): ExpectedRow {
  const service = resource?.attributes.find((attribute) => attribute.key === 'service.name');
  return { ServiceName: anyValueText(service?.value), ResourceAttributes: pairsOf(resource?.attributes) };
}

export function scopeCells(scope: InstrumentationScope | undefined): ExpectedRow {
  return { ScopeName: scope?.name ?? '', ScopeVersion: scope?.version ?? '' };
}
