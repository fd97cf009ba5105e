import { Column64, LowCardinalityColumn, MapColumn, SmallColumn, StringColumn } from '@weir/native';
import {
  INVALID_SPAN_ID,
  INVALID_TIME,
  INVALID_TRACE_ID,
  optionalIdValid,
  timeValid,
  type WireReader,
} from '@weir/otlp';
import { pushAnyValue } from './any-value.ts';
import { AttributeWriter } from './attributes.ts';
import { CommonColumns, ScopeAttributes } from './common-columns.ts';
import { MessageFields } from './fields.ts';
import { type Origin, pushSchemaUrl } from './origin.ts';
import { READER_FAULT, type TableBlock, WRITTEN } from './table.ts';
import { pushAttributes } from './traces.ts';

const TIME = 1;
const SEVERITY_NUMBER = 2;
const SEVERITY_TEXT = 3;
const BODY = 5;
const FLAGS = 8;
const TRACE_ID = 9;
const SPAN_ID = 10;
const OBSERVED_TIME = 11;
const EVENT_NAME = 12;
const REPEATS = 1 << 6;
const SEVERITY_MAX = 255;

/** otel_logs. */
export class LogsTable implements TableBlock {
  readonly table = 'otel_logs';
  readonly #scopeVersion = new LowCardinalityColumn();
  readonly #common = new CommonColumns(this.#scopeVersion);
  readonly #timestamp = new Column64('DateTime64(9)');
  readonly #traceId = new StringColumn();
  readonly #spanId = new StringColumn();
  readonly #traceFlags = new SmallColumn('UInt8');
  readonly #severityText = new LowCardinalityColumn();
  readonly #severityNumber = new SmallColumn('UInt8');
  readonly #body = new StringColumn();
  readonly #resourceSchemaUrl = new LowCardinalityColumn();
  readonly #scopeSchemaUrl = new LowCardinalityColumn();
  readonly #scopeAttributes = new ScopeAttributes();
  readonly #attributes = new AttributeWriter(new MapColumn());
  readonly #eventName = new StringColumn();
  readonly #log = new MessageFields();

  readonly columns = {
    TenantId: this.#common.tenantId,
    RetentionDays: this.#common.retentionDays,
    ReceivedDay: this.#common.receivedDay,
    RawPosition: this.#common.rawPosition,
    Timestamp: this.#timestamp,
    TraceId: this.#traceId,
    SpanId: this.#spanId,
    TraceFlags: this.#traceFlags,
    SeverityText: this.#severityText,
    SeverityNumber: this.#severityNumber,
    ServiceName: this.#common.serviceName,
    Body: this.#body,
    ResourceSchemaUrl: this.#resourceSchemaUrl,
    ResourceAttributes: this.#common.resourceAttributes,
    ScopeSchemaUrl: this.#scopeSchemaUrl,
    ScopeName: this.#common.scopeName,
    ScopeVersion: this.#scopeVersion,
    ScopeAttributes: this.#scopeAttributes.column,
    LogAttributes: this.#attributes.column,
    EventName: this.#eventName,
  };

  get rows(): number {
    return this.#timestamp.rows;
  }

  settle(): void {
    this.#common.settle();
    this.#scopeAttributes.settle();
  }

  clear(): void {
    this.#common.clear(this.columns);
    this.#scopeAttributes.clear();
    this.#attributes.clear();
  }

  write(reader: WireReader, end: number, origin: Origin): number {
    const log = this.#log;
    if (!log.read(reader, end, REPEATS)) return READER_FAULT;
    if (!timeValid(log.hi(reader, TIME)) || !timeValid(log.hi(reader, OBSERVED_TIME))) return INVALID_TIME;
    if (!optionalIdValid(0, log.size(TRACE_ID), 16)) return INVALID_TRACE_ID;
    if (!optionalIdValid(0, log.size(SPAN_ID), 8)) return INVALID_SPAN_ID;
    const { buf } = reader;
    if (!this.#common.push(reader, origin) || !this.#scopeAttributes.push(reader, origin)) return READER_FAULT;
    this.#pushTime(reader, origin);
    log.pushHex(buf, TRACE_ID, this.#traceId);
    log.pushHex(buf, SPAN_ID, this.#spanId);
    this.#traceFlags.push(log.lo(reader, FLAGS) & 0xff);
    log.pushString(buf, SEVERITY_TEXT, this.#severityText);
    const severity = log.varint(reader, SEVERITY_NUMBER);
    this.#severityNumber.push(severity > SEVERITY_MAX ? 0 : severity);
    pushSchemaUrl(this.#resourceSchemaUrl, reader, origin.resourceSchemaUrl, origin.resourceUpgrade);
    pushSchemaUrl(this.#scopeSchemaUrl, reader, origin.scopeSchemaUrl, origin.scopeUpgrade);
    log.pushString(buf, EVENT_NAME, this.#eventName);
    this.#attributes.rename(origin.scopeUpgrade?.attributes('log'), origin.renamed);
    if (!pushAttributes(reader, log, this.#attributes) || !this.#pushBody(reader)) return READER_FAULT;
    reader.pos = end;
    return WRITTEN;
  }

  /** The record's time, else the observed time, else the time the export was received. */
  #pushTime(reader: WireReader, origin: Origin): void {
    const log = this.#log;
    for (const field of [TIME, OBSERVED_TIME]) {
      const lo = log.lo(reader, field);
      const hi = log.hi(reader, field);
      if (lo === 0 && hi === 0) continue;
      this.#timestamp.push(lo, hi);
      return;
    }
    this.#timestamp.push(origin.receivedLo, origin.receivedHi);
  }

  #pushBody(reader: WireReader): boolean {
    const start = this.#log.start[BODY]!;
    if (start < 0) {
      this.#body.pushEmpty();
      return true;
    }
    reader.pos = start;
    return pushAnyValue(reader, this.#log.end[BODY]!, this.#body);
  }
}
