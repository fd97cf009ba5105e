import { Bytes, writeBlock } from '@weir/native';
import { ITEM_FAULTS, type ItemFault, type WireFault, WireReader } from '@weir/otlp';
import type { SignalKind } from '@weir/pipeline';
import type { TableName } from '@weir/records';
import { wrapItem, wrapPoint } from './dead-item.ts';
import { LogsTable } from './logs.ts';
import { MetricHeader } from './metric-header.ts';
import { HistogramTable, NumberTable, type PointTable } from './metrics.ts';
import { ExponentialHistogramTable, SummaryTable } from './metrics-rare.ts';
import { Origin, readResource, readScope } from './origin.ts';
import { type ItemWriter, READER_FAULT, WRITTEN } from './table.ts';
import { TracesTable } from './traces.ts';

/** One export to be transcoded. */
export interface TranscodeInput {
  readonly tenant: string;
  readonly retentionDays: number;
  readonly signal: SignalKind;
  /** The decompressed ExportRequest; only read, and not kept. */
  readonly body: Uint8Array;
  readonly receivedAtNs: bigint;
}

/** Takes an item that cannot be stored, as an ExportRequest that holds it alone; the bytes are the taker's. */
export type OnInvalid = (fault: ItemFault, bytes: Buffer) => void;

export type Transcoded =
  | { readonly ok: true; readonly written: number; readonly invalid: number }
  | { readonly ok: false; readonly reason: WireFault };

/** One table's rows as a Native block; valid until the transcoder is used again. */
export interface TranscodedBlock {
  readonly table: TableName;
  readonly rows: number;
  readonly block: Buffer;
}

const LIST = (1 << 3) | 2;
const ITEMS = (2 << 3) | 2;

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
  #onInvalid: OnInvalid = () => undefined;
  #written = 0;
  #invalid = 0;

  /**
   * Adds one export. Where the bytes are not an export (`ok: false`) the columns hold a part of it: `clear`, and add the
   * others again.
   */
  add(input: TranscodeInput, onInvalid: OnInvalid): Transcoded {
    const reader = this.#reader;
    const origin = this.#origin;
    origin.tenant = Buffer.from(input.tenant);
    origin.retentionDays = input.retentionDays;
    origin.receivedLo = Number(input.receivedAtNs & 0xffff_ffffn);
    origin.receivedHi = Number(input.receivedAtNs >> 32n);
    reader.open(input.body);
    this.#onInvalid = onInvalid;
    this.#written = 0;
    this.#invalid = 0;
    const ok = this.#writeRequest(reader, input.signal, input.body.length);
    reader.buf = EMPTY;
    if (!ok) return { ok: false, reason: reader.fault ?? 'truncated' };
    return { ok: true, written: this.#written, invalid: this.#invalid };
  }

  /** Rows of all tables. */
  get rows(): number {
    let rows = 0;
    for (const table of this.#tables) rows += table.rows;
    return rows;
  }

  /** Hands over the block of each table that has rows, one after the other: a block is valid only during its call. */
  finish(take: (block: TranscodedBlock) => void): void {
    for (const { table, columns, rows } of this.#tables) {
      if (rows === 0) continue;
      this.#out.clear();
      writeBlock(columns, rows, this.#out);
      take({ table, rows, block: this.#out.view() });
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
      const result = write(reader, stop, this.#origin);
      if (result === READER_FAULT) return false;
      if (signal === 'metrics') continue;
      if (result === WRITTEN) this.#written++;
      else this.#refuse(result, wrapItem(reader.buf, this.#origin, start, stop));
      reader.pos = stop;
    }
    return true;
  }

  #refuse(fault: number, bytes: Buffer): void {
    this.#invalid++;
    this.#onInvalid(ITEM_FAULTS[fault] ?? 'invalid_metric', bytes);
  }

  /** Counts its points itself. */
  #writeMetric(reader: WireReader, end: number): number {
    const metric = this.#metric;
    const start = reader.pos;
    if (!metric.read(reader, end)) return READER_FAULT;
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
      if (!this.#writePoints(reader, table, stop, start, end)) return READER_FAULT;
    }
    return WRITTEN;
  }

  #writePoints(reader: WireReader, table: PointTable, end: number, metricStart: number, metricEnd: number): boolean {
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
      const result = table.write(reader, stop, this.#metric, this.#origin);
      if (result === READER_FAULT) return false;
      if (result === WRITTEN) this.#written++;
      else this.#refuse(result, wrapPoint(reader, this.#origin, this.#metric, start, stop, metricStart, metricEnd));
      reader.pos = stop;
    }
    return true;
  }
}

const EMPTY = new Uint8Array(0);
