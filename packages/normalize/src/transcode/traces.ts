import { ArrayColumn, Column64, LowCardinalityColumn, MapColumn, StringColumn } from '@weir/native';
import {
  INVALID_SPAN_ID,
  INVALID_TIME,
  INVALID_TRACE_ID,
  optionalIdValid,
  spanIdValid,
  timeValid,
  traceIdValid,
  type WireReader,
} from '@weir/otlp';
import { AttributeWriter } from './attributes.ts';
import { CommonColumns } from './common-columns.ts';
import { MessageFields } from './fields.ts';
import { NameWriter } from './name-writer.ts';
import type { Origin } from './origin.ts';
import { READER_FAULT, type TableBlock, WRITTEN } from './table.ts';

const TRACE_ID = 1;
const SPAN_ID = 2;
const TRACE_STATE = 3;
const PARENT_ID = 4;
const NAME = 5;
const KIND = 6;
const START = 7;
const END = 8;
const ATTRIBUTES = (9 << 3) | 2;
const EVENTS = (11 << 3) | 2;
const LINKS = (13 << 3) | 2;
const STATUS = 15;
const SPAN_REPEATS = (1 << 9) | (1 << 11) | (1 << 13);
const STATUS_MESSAGE = 2;
const STATUS_CODE = 3;
const EVENT_TIME = 1;
const EVENT_NAME = 2;
const EVENT_REPEATS = 1 << 3;
const LINK_REPEATS = 1 << 4;

const KINDS = ['Unspecified', 'Internal', 'Server', 'Client', 'Producer', 'Consumer'];
const CODES = ['Unset', 'Ok', 'Error'];

/** otel_traces. */
export class TracesTable implements TableBlock {
  readonly table = 'otel_traces';
  readonly #common = new CommonColumns(new StringColumn());
  readonly #timestamp = new Column64('DateTime64(9)');
  readonly #traceId = new StringColumn();
  readonly #spanId = new StringColumn();
  readonly #parentSpanId = new StringColumn();
  readonly #traceState = new StringColumn();
  readonly #spanName = new LowCardinalityColumn();
  readonly #spanKind = new NameWriter(new LowCardinalityColumn(), KINDS);
  readonly #attributes = new AttributeWriter(new MapColumn());
  readonly #duration = new Column64('UInt64');
  readonly #statusCode = new NameWriter(new LowCardinalityColumn(), CODES);
  readonly #statusMessage = new StringColumn();
  readonly #eventTime = new ArrayColumn(new Column64('DateTime64(9)'));
  readonly #eventName = new ArrayColumn(new LowCardinalityColumn(), this.#eventTime);
  readonly #eventAttributes = new ArrayColumn(new MapColumn(), this.#eventTime);
  readonly #eventWriter = new AttributeWriter(this.#eventAttributes.items);
  readonly #linkTraceId = new ArrayColumn(new StringColumn());
  readonly #linkSpanId = new ArrayColumn(new StringColumn(), this.#linkTraceId);
  readonly #linkTraceState = new ArrayColumn(new StringColumn(), this.#linkTraceId);
  readonly #linkAttributes = new ArrayColumn(new MapColumn(), this.#linkTraceId);
  readonly #linkWriter = new AttributeWriter(this.#linkAttributes.items);
  readonly #span = new MessageFields();
  readonly #inner = new MessageFields();

  readonly columns = {
    TenantId: this.#common.tenantId,
    RetentionDays: this.#common.retentionDays,
    ReceivedDay: this.#common.receivedDay,
    RawPosition: this.#common.rawPosition,
    Timestamp: this.#timestamp,
    TraceId: this.#traceId,
    SpanId: this.#spanId,
    ParentSpanId: this.#parentSpanId,
    TraceState: this.#traceState,
    SpanName: this.#spanName,
    SpanKind: this.#spanKind.column,
    ServiceName: this.#common.serviceName,
    ResourceAttributes: this.#common.resourceAttributes,
    ScopeName: this.#common.scopeName,
    ScopeVersion: this.#common.scopeVersion,
    SpanAttributes: this.#attributes.column,
    Duration: this.#duration,
    StatusCode: this.#statusCode.column,
    StatusMessage: this.#statusMessage,
    'Events.Timestamp': this.#eventTime,
    'Events.Name': this.#eventName,
    'Events.Attributes': this.#eventAttributes,
    'Links.TraceId': this.#linkTraceId,
    'Links.SpanId': this.#linkSpanId,
    'Links.TraceState': this.#linkTraceState,
    'Links.Attributes': this.#linkAttributes,
  };

  get rows(): number {
    return this.#timestamp.rows;
  }

  settle(): void {
    this.#common.settle();
  }

  clear(): void {
    this.#common.clear(this.columns);
    this.#spanKind.clear();
    this.#statusCode.clear();
    this.#attributes.clear();
    this.#eventWriter.clear();
    this.#linkWriter.clear();
  }

  write(reader: WireReader, end: number, origin: Origin): number {
    const span = this.#span;
    if (!span.read(reader, end, SPAN_REPEATS)) return READER_FAULT;
    const fault = this.#fault(reader);
    if (fault !== WRITTEN) return fault;
    const { buf } = reader;
    if (!this.#common.push(reader, origin)) return READER_FAULT;
    this.#timestamp.push(span.lo(reader, START), span.hi(reader, START));
    span.pushHex(buf, TRACE_ID, this.#traceId);
    span.pushHex(buf, SPAN_ID, this.#spanId);
    span.pushHex(buf, PARENT_ID, this.#parentSpanId);
    span.pushString(buf, TRACE_STATE, this.#traceState);
    span.pushString(buf, NAME, this.#spanName);
    this.#spanKind.push(span.varint(reader, KIND));
    this.#pushDuration(reader);
    this.#attributes.rename(origin.scopeUpgrade?.attributes('span'), origin.renamed);
    this.#eventWriter.rename(origin.scopeUpgrade?.attributes('span_event'), origin.renamed);
    this.#linkWriter.rename(origin.scopeUpgrade?.attributes('link'), origin.renamed);
    if (!this.#pushStatus(reader) || !this.#pushRepeated(reader)) return READER_FAULT;
    reader.pos = end;
    return WRITTEN;
  }

  /** The same rules as the edge's scan. */
  #fault(reader: WireReader): number {
    const span = this.#span;
    const { buf } = reader;
    const { start, end } = span;
    if (!traceIdValid(buf, start[TRACE_ID]!, start[TRACE_ID]! < 0 ? -1 : end[TRACE_ID]!)) return INVALID_TRACE_ID;
    if (!spanIdValid(buf, start[SPAN_ID]!, start[SPAN_ID]! < 0 ? -1 : end[SPAN_ID]!)) return INVALID_SPAN_ID;
    if (!optionalIdValid(0, span.size(PARENT_ID), 8)) return INVALID_SPAN_ID;
    const hi = span.hi(reader, START);
    if (!timeValid(hi) || (hi === 0 && span.lo(reader, START) === 0)) return INVALID_TIME;
    return timeValid(span.hi(reader, END)) ? WRITTEN : INVALID_TIME;
  }

  /** An end before the start, or none, is a duration of 0. */
  #pushDuration(reader: WireReader): void {
    const span = this.#span;
    let lo = span.lo(reader, END) - span.lo(reader, START);
    let hi = span.hi(reader, END) - span.hi(reader, START);
    if (lo < 0) {
      lo += 2 ** 32;
      hi--;
    }
    if (hi < 0) this.#duration.push(0, 0);
    else this.#duration.push(lo, hi);
  }

  #pushStatus(reader: WireReader): boolean {
    const start = this.#span.start[STATUS]!;
    if (start < 0) {
      this.#statusCode.push(0);
      this.#statusMessage.pushEmpty();
      return true;
    }
    reader.pos = start;
    if (!this.#inner.read(reader, this.#span.end[STATUS]!, 0)) return false;
    this.#statusCode.push(this.#inner.varint(reader, STATUS_CODE));
    this.#inner.pushString(reader.buf, STATUS_MESSAGE, this.#statusMessage);
    return true;
  }

  #pushRepeated(reader: WireReader): boolean {
    const { repeated, repeatedCount } = this.#span;
    for (let i = 0; i < repeatedCount; i++) {
      const tag = repeated[i * 3]!;
      const end = repeated[i * 3 + 2]!;
      reader.pos = repeated[i * 3 + 1]!;
      if (tag === ATTRIBUTES) {
        if (!this.#attributes.pushKeyValue(reader, end)) return false;
      } else if (tag === EVENTS) {
        if (!this.#pushEvent(reader, end)) return false;
      } else if (tag === LINKS && !this.#pushLink(reader, end)) return false;
    }
    this.#attributes.end();
    // The others end with these.
    this.#eventTime.end();
    this.#linkTraceId.end();
    return true;
  }

  #pushEvent(reader: WireReader, end: number): boolean {
    const event = this.#inner;
    if (!event.read(reader, end, EVENT_REPEATS)) return false;
    const hi = event.hi(reader, EVENT_TIME);
    if (timeValid(hi)) this.#eventTime.items.push(event.lo(reader, EVENT_TIME), hi);
    else this.#eventTime.items.push(0, 0);
    event.pushString(reader.buf, EVENT_NAME, this.#eventName.items);
    return pushAttributes(reader, event, this.#eventWriter);
  }

  #pushLink(reader: WireReader, end: number): boolean {
    const link = this.#inner;
    if (!link.read(reader, end, LINK_REPEATS)) return false;
    link.pushHex(reader.buf, TRACE_ID, this.#linkTraceId.items);
    link.pushHex(reader.buf, SPAN_ID, this.#linkSpanId.items);
    link.pushString(reader.buf, TRACE_STATE, this.#linkTraceState.items);
    return pushAttributes(reader, link, this.#linkWriter);
  }
}

/** Pushes a message's repeated field, its attributes, as one row of a map. */
export function pushAttributes(reader: WireReader, message: MessageFields, writer: AttributeWriter): boolean {
  const { repeated, repeatedCount } = message;
  for (let i = 0; i < repeatedCount; i++) {
    reader.pos = repeated[i * 3 + 1]!;
    if (!writer.pushKeyValue(reader, repeated[i * 3 + 2]!)) return false;
  }
  writer.end();
  return true;
}
