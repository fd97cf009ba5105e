import { Bytes, writeBlock } from '@weir/native';
import { ITEM_FAULTS, type ItemFault, ROW_BYTES, repeatedBytesMax, WIRE, type WireFault, WireReader } from '@weir/otlp';
import type { SignalKind } from '@weir/pipeline';
import { type RejectedItems, RejectedWalk, type TableName } from '@weir/records';
import { DeadItems } from './dead-items.ts';
import { LogsTable } from './logs.ts';
import { MetricHeader } from './metric-header.ts';
import { HistogramTable, NumberTable, type PointTable } from './metrics.ts';
import { ExponentialHistogramTable, SummaryTable } from './metrics-rare.ts';
import { type Conventions, Origin, readResource, readScope } from './origin.ts';
import { type ItemWriter, READER_FAULT, WRITTEN } from './table.ts';
import { TracesTable } from './traces.ts';

/** One export to be transcoded. */
export interface TranscodeInput {
  readonly tenant: string;
  readonly retentionDays: number;
  /** Whether names are brought to the newest semantic conventions; left out: they stay as they were sent. */
  readonly conventions?: Conventions | undefined;
  readonly signal: SignalKind;
  /** The decompressed ExportRequest; only read, and not kept. */
  readonly body: Uint8Array;
  readonly receivedAtNs: bigint;
  /** The raw record that it is; left out: the rows do not say. */
  readonly rawPosition?: bigint | undefined;
  /** Items that are over a limit of the tenant: the edge has said so to the client, and nothing else is looked at here. */
  readonly rejected?: RejectedItems | undefined;
}

/**
 * Takes the items of an export that cannot be stored, once for each fault: an ExportRequest that holds just them, their
 * bytes unchanged, under their resources and scopes. The bytes are the taker's.
 */
export type OnInvalid = (fault: ItemFault, bytes: Buffer, items: number) => void;

/** Why an export cannot be transcoded at all; `expands_too_far`: its items repeat what they share too often. */
export type TranscodeFault = WireFault | 'expands_too_far';

export type Transcoded =
  | { readonly ok: true; readonly written: number; readonly invalid: number; readonly renamed: number }
  | { readonly ok: false; readonly reason: TranscodeFault };

/** One table's rows as a Native block; valid until the transcoder is used again. */
export interface TranscodedBlock {
  readonly table: TableName;
  readonly rows: number;
  readonly block: Buffer;
}

const LIST = (1 << 3) | WIRE.bytes;
const ITEMS = (2 << 3) | WIRE.bytes;
const NS_PER_DAY = 86_400_000_000_000n;
const DAY_MAX = 0xffffn;

/** Day of receipt, days since the epoch; one that no Date can hold becomes the last that one can. */
export function receivedDayOf(receivedAtNs: bigint): number {
  const day = receivedAtNs / NS_PER_DAY;
  return Number(day < DAY_MAX ? day : DAY_MAX);
}

/**
 * OTLP protobuf to ClickHouse Native columns, straight from the wire: no object is made for a span, log record or data
 * point. `add` exports, then `finish` for the blocks, then `clear`. Memory is kept from batch to batch.
 */
export class Transcoder {
  readonly #reader = new WireReader();
  readonly #origin = new Origin();
  readonly #metric = new MetricHeader();
  readonly #out = new Bytes(1024 * 1024);
  readonly #traces = new TracesTable();
  readonly #logs = new LogsTable();
  readonly #points: Readonly<Record<number, PointTable>> = {
    5: new NumberTable('otel_metrics_gauge'),
    7: new NumberTable('otel_metrics_sum'),
    9: new HistogramTable(),
    10: new ExponentialHistogramTable(),
    11: new SummaryTable(),
  };
  readonly #tables = [this.#traces, this.#logs, ...Object.values(this.#points)];
  readonly #writers: Readonly<Record<SignalKind, ItemWriter>> = {
    traces: (reader, end, origin) => this.#traces.write(reader, end, origin),
    logs: (reader, end, origin) => this.#logs.write(reader, end, origin),
    metrics: (reader, end) => this.#writeMetric(reader, end),
  };
  readonly #dead = new DeadItems();
  readonly #rejected = new RejectedWalk();
  #written = 0;
  /** Bytes that rows repeat, and how many they may be. */
  #repeated = 0;
  #repeatedMax = 0;

  /**
   * Adds one export. Where the bytes are not an export (`ok: false`) the columns hold a part of it: `clear`, and add the
   * others again.
   */
  add(input: TranscodeInput, onInvalid: OnInvalid): Transcoded {
    const { signal, body } = input;
    const reader = this.#reader;
    const origin = this.#origin;
    origin.tenant = Buffer.from(input.tenant);
    origin.retentionDays = input.retentionDays;
    origin.conventions = input.conventions;
    origin.renamed.names = 0;
    origin.receivedLo = Number(input.receivedAtNs & 0xffff_ffffn);
    origin.receivedHi = Number(input.receivedAtNs >> 32n);
    origin.receivedDay = receivedDayOf(input.receivedAtNs);
    const position = input.rawPosition ?? 0n;
    origin.positionLo = Number(position & 0xffff_ffffn);
    origin.positionHi = Number(position >> 32n);
    reader.open(body);
    this.#dead.clear();
    this.#rejected.open(input.rejected);
    this.#written = 0;
    this.#repeated = 0;
    this.#repeatedMax = repeatedBytesMax(body.length);
    const ok = this.#writeRequest(reader, signal, body.length);
    if (ok) {
      for (const table of this.#tables) table.settle();
      this.#handOver(signal, onInvalid);
    }
    reader.release();
    if (ok) return { ok, written: this.#written, invalid: this.#dead.count, renamed: origin.renamed.names };
    if (this.#repeated > this.#repeatedMax) return { ok, reason: 'expands_too_far' };
    return { ok, reason: reader.fault ?? 'truncated' };
  }

  /** Rows of all tables. */
  get rows(): number {
    let rows = 0;
    for (const table of this.#tables) rows += table.rows;
    return rows;
  }

  /** About how many bytes the blocks will have. */
  get bytes(): number {
    let bytes = 0;
    for (const table of this.#tables) {
      if (table.rows > 0) for (const column of Object.values(table.columns)) bytes += column.bytes;
    }
    return bytes;
  }

  /** Hands over the block of each table that has rows, one after the other: a block is valid only during its call. */
  finish(take: (block: TranscodedBlock) => void): void {
    for (const { table, columns, rows } of this.#tables) {
      if (rows === 0) continue;
      this.#out.clear();
      writeBlock(columns, rows, this.#out);
      take({ table, rows, block: this.#out.written() });
    }
  }

  /** Forgets all rows. */
  clear(): void {
    for (const table of this.#tables) table.clear();
  }

  #writeRequest(reader: WireReader, signal: SignalKind, end: number): boolean {
    while (reader.pos < end) {
      const tag = reader.tag(end);
      if (tag < 0) return false;
      if (tag !== LIST) {
        if (!reader.skip(tag & 7, end)) return false;
        continue;
      }
      const stop = reader.length(end);
      if (stop < 0 || !readResource(reader, stop, this.#origin)) return false;
      if (!this.#writeScopes(reader, signal, stop)) return false;
    }
    return true;
  }

  #writeScopes(reader: WireReader, signal: SignalKind, end: number): boolean {
    while (reader.pos < end) {
      const tag = reader.tag(end);
      if (tag < 0) return false;
      if (tag !== ITEMS) {
        if (!reader.skip(tag & 7, end)) return false;
        continue;
      }
      const stop = reader.length(end);
      if (stop < 0 || !readScope(reader, stop, this.#origin)) return false;
      if (!this.#writeItems(reader, signal, stop)) return false;
    }
    return true;
  }

  #writeItems(reader: WireReader, signal: SignalKind, end: number): boolean {
    const write = this.#writers[signal];
    const shared = this.#origin.sharedBytes;
    while (reader.pos < end) {
      const tag = reader.tag(end);
      if (tag < 0) return false;
      if (tag !== ITEMS) {
        if (!reader.skip(tag & 7, end)) return false;
        continue;
      }
      const stop = reader.length(end);
      if (stop < 0) return false;
      const start = reader.pos;
      // A metric's points are its items.
      const code = signal === 'metrics' ? 0 : this.#rejected.next();
      const result = code === 0 ? write(reader, stop, this.#origin) : faultOf(code);
      if (result === READER_FAULT) return false;
      reader.pos = stop;
      if (signal !== 'metrics' && !this.#count(result, start, shared)) return false;
    }
    return true;
  }

  /** Counts one item whose message starts at `start`; false once the rows repeat too many bytes. */
  #count(result: number, start: number, shared: number): boolean {
    if (result !== WRITTEN) {
      this.#dead.add(start, result);
      return true;
    }
    this.#written++;
    this.#repeated += shared + ROW_BYTES;
    return this.#repeated <= this.#repeatedMax;
  }

  #handOver(signal: SignalKind, onInvalid: OnInvalid): void {
    if (this.#dead.count === 0) return;
    for (const [index, fault] of ITEM_FAULTS.entries()) {
      const items = this.#dead.countOf(index);
      if (items > 0) onInvalid(fault, this.#dead.requestOf(index, this.#reader, signal), items);
    }
  }

  /** Counts its points itself. */
  #writeMetric(reader: WireReader, end: number): number {
    const metric = this.#metric;
    if (!metric.read(reader, end)) return READER_FAULT;
    metric.upgrade(reader, this.#origin.scopeUpgrade);
    if (metric.nameOfToday !== undefined) this.#origin.renamed.names++;
    const table = this.#points[metric.data];
    while (reader.pos < end) {
      const at = reader.pos;
      const tag = reader.tag(end);
      if (tag < 0) return READER_FAULT;
      if (table === undefined || tag !== ((metric.data << 3) | 2) || at < metric.dataFrom) {
        if (!reader.skip(tag & 7, end)) return READER_FAULT;
        continue;
      }
      const stop = reader.length(end);
      if (stop < 0 || !metric.readData(reader, stop)) return READER_FAULT;
      if (!this.#writePoints(reader, table, stop)) return READER_FAULT;
    }
    return WRITTEN;
  }

  #writePoints(reader: WireReader, table: PointTable, end: number): boolean {
    const shared = this.#origin.sharedBytes + this.#metric.size;
    while (reader.pos < end) {
      const tag = reader.tag(end);
      if (tag < 0) return false;
      if (tag !== LIST) {
        if (!reader.skip(tag & 7, end)) return false;
        continue;
      }
      const stop = reader.length(end);
      if (stop < 0) return false;
      const start = reader.pos;
      const code = this.#rejected.next();
      const result = code === 0 ? table.write(reader, stop, this.#metric, this.#origin) : faultOf(code);
      if (result === READER_FAULT) return false;
      reader.pos = stop;
      if (!this.#count(result, start, shared)) return false;
    }
    return true;
  }
}

/** A code of a newer edge, which is not known here, counts as the last that is: what was rejected is never stored. */
function faultOf(code: number): number {
  return Math.min(code, ITEM_FAULTS.length) - 1;
}
