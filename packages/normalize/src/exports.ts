import type { DlqReason, Note, RawMeta } from '@weir/records';
import type { Tenant } from '@weir/tenancy';

/** A raw record that can be read: an export on its way. */
export interface RawExport {
  readonly kind: 'export';
  readonly offset: number;
  /** When the broker appended it, ms since the epoch. */
  readonly appendedMs: number;
  readonly meta: RawMeta;
  /** The body, still compressed as `meta.encoding` says. */
  readonly value: Buffer;
}

/** A raw record that cannot be read. */
export interface PoisonRecord {
  readonly kind: 'poison';
  readonly offset: number;
  readonly reason: DlqReason;
  readonly message: string;
  readonly value: Buffer;
}

/** What an edge says about items that are in no export. */
export interface RawNote {
  readonly kind: 'note';
  readonly offset: number;
  /** When the broker appended it, ms since the epoch. */
  readonly appendedMs: number;
  readonly note: Note;
}

export type RawEntry = RawExport | RawNote | PoisonRecord;

/** An export whose body is at hand. */
export interface OpenExport {
  readonly raw: RawExport;
  readonly tenant: Tenant;
  readonly body: Buffer;
}

/** Bytes that go to weir.dlq, and why. */
export interface DeadLetter {
  readonly tenant: string;
  readonly signal: RawMeta['signal'];
  readonly reason: DlqReason;
  readonly message: string;
  readonly items: number;
  readonly offset: number;
  /** Distinguishes several letters out of one record. */
  readonly index: number;
  readonly value: Buffer;
}
