import {
  ArrayColumn,
  type Column,
  Column64,
  LowCardinalityColumn,
  MapColumn,
  SmallColumn,
  StringColumn,
} from '@weir/native';
import { timeValid, type WireReader } from '@weir/otlp';
import { readDouble } from './any-value.ts';
import { AttributeWriter } from './attributes.ts';
import { CommonColumns, ScopeAttributes } from './common-columns.ts';
import { MessageFields, pushHex } from './fields.ts';
import type { MetricHeader } from './metric-header.ts';
import { type Origin, pushSchemaUrl } from './origin.ts';
import { pushAttributes } from './traces.ts';
import { type BaseUnit, ORIGINAL_UNIT, toBase, UNCHANGED_BUCKETS, UNIT_UNCHANGED } from './units.ts';

const START_TIME = 2;
const TIME = 3;
const EXEMPLAR_TIME = 2;
const EXEMPLAR_DOUBLE = 3;
const EXEMPLAR_SPAN_ID = 4;
const EXEMPLAR_TRACE_ID = 5;
const EXEMPLAR_INT = 6;
const EXEMPLAR_REPEATS = 1 << 7;
const TWO_32 = 2 ** 32;

/** The columns that all five metric tables have. */
export class PointColumns {
  readonly #common = new CommonColumns(new StringColumn());
  readonly #resourceSchemaUrl = new StringColumn();
  readonly #scopeAttributes = new ScopeAttributes();
  readonly #scopeDropped = new SmallColumn('UInt32');
  readonly #scopeSchemaUrl = new StringColumn();
  readonly #name = new LowCardinalityColumn();
  readonly #description = new StringColumn();
  readonly #unit = new StringColumn();
  readonly #attributes = new AttributeWriter(new MapColumn());
  readonly #startTime = new Column64('DateTime64(9)');
  readonly #time = new Column64('DateTime64(9)');
  readonly #flags = new SmallColumn('UInt32');

  readonly columns = {
    TenantId: this.#common.tenantId,
    RetentionDays: this.#common.retentionDays,
    ReceivedDay: this.#common.receivedDay,
    RawPosition: this.#common.rawPosition,
    ResourceAttributes: this.#common.resourceAttributes,
    ResourceSchemaUrl: this.#resourceSchemaUrl,
    ScopeName: this.#common.scopeName,
    ScopeVersion: this.#common.scopeVersion,
    ScopeAttributes: this.#scopeAttributes.column,
    ScopeDroppedAttrCount: this.#scopeDropped,
    ScopeSchemaUrl: this.#scopeSchemaUrl,
    ServiceName: this.#common.serviceName,
    MetricName: this.#name,
    MetricDescription: this.#description,
    MetricUnit: this.#unit,
    Attributes: this.#attributes.column,
    StartTimeUnix: this.#startTime,
    TimeUnix: this.#time,
    Flags: this.#flags,
  };

  get rows(): number {
    return this.#time.rows;
  }

  settle(): void {
    this.#common.settle();
    this.#scopeAttributes.settle();
  }

  clear(all: Readonly<Record<string, Column>>): void {
    this.#common.clear(all);
    this.#scopeAttributes.clear();
    this.#attributes.clear();
  }

  /**
   * Pushes what a point shares with its metric and every point has. `converted` says whether the values are in the base
   * unit: a unit that was sent otherwise is kept as an attribute.
   */
  push(
    reader: WireReader,
    point: MessageFields,
    attributesTag: number,
    flagsField: number,
    metric: MetricHeader,
    origin: Origin,
    converted: boolean,
  ): boolean {
    const { buf } = reader;
    if (!this.#common.push(reader, origin) || !this.#scopeAttributes.push(reader, origin)) return false;
    pushSchemaUrl(this.#resourceSchemaUrl, reader, origin.resourceSchemaUrl, origin.resourceUpgrade);
    this.#scopeDropped.push(origin.scopeDroppedAttributes);
    pushSchemaUrl(this.#scopeSchemaUrl, reader, origin.scopeSchemaUrl, origin.scopeUpgrade);
    if (metric.nameOfToday === undefined) this.#name.push(buf, metric.name.start, metric.name.end);
    else this.#name.push(metric.nameOfToday, 0, metric.nameOfToday.length);
    this.#attributes.rename(metric.renames, origin.renamed);
    this.#description.push(buf, metric.description.start, metric.description.end);
    if (metric.base !== undefined && converted) this.#unit.pushText(metric.base.unit);
    else this.#unit.push(buf, metric.unit.start, metric.unit.end);
    this.#startTime.push(point.lo(reader, START_TIME), point.hi(reader, START_TIME));
    this.#time.push(point.lo(reader, TIME), point.hi(reader, TIME));
    this.#flags.push(point.varint(reader, flagsField));
    return this.#pushAttributes(reader, point, attributesTag, metric, converted);
  }

  #pushAttributes(
    reader: WireReader,
    point: MessageFields,
    attributesTag: number,
    metric: MetricHeader,
    converted: boolean,
  ): boolean {
    const { repeated, repeatedCount } = point;
    for (let i = 0; i < repeatedCount; i++) {
      if (repeated[i * 3] !== attributesTag) continue;
      reader.pos = repeated[i * 3 + 1]!;
      if (!this.#attributes.pushKeyValue(reader, repeated[i * 3 + 2]!)) return false;
    }
    if (metric.base !== undefined) {
      if (converted) this.#attributes.pushText(ORIGINAL_UNIT, metric.unitText);
      else this.#attributes.pushText(UNIT_UNCHANGED, UNCHANGED_BUCKETS);
    }
    this.#attributes.end();
    return true;
  }
}

/** The Exemplars columns, which all kinds of points but summaries have. */
export class ExemplarColumns {
  readonly #attributes = new ArrayColumn(new MapColumn());
  readonly #writer = new AttributeWriter(this.#attributes.items);
  readonly #time = new ArrayColumn(new Column64('DateTime64(9)'), this.#attributes);
  readonly #value = new ArrayColumn(new Column64('Float64'), this.#attributes);
  readonly #spanId = new ArrayColumn(new StringColumn(), this.#attributes);
  readonly #traceId = new ArrayColumn(new StringColumn(), this.#attributes);
  readonly #exemplar = new MessageFields();

  readonly columns = {
    'Exemplars.FilteredAttributes': this.#attributes,
    'Exemplars.TimeUnix': this.#time,
    'Exemplars.Value': this.#value,
    'Exemplars.SpanId': this.#spanId,
    'Exemplars.TraceId': this.#traceId,
  };

  /** Pushes one row: the point's exemplars, those fields of it that have `tag`, their values in the base unit. */
  push(reader: WireReader, point: MessageFields, tag: number, base: BaseUnit | undefined): boolean {
    const { repeated, repeatedCount } = point;
    for (let i = 0; i < repeatedCount; i++) {
      if (repeated[i * 3] !== tag) continue;
      reader.pos = repeated[i * 3 + 1]!;
      if (!this.#pushOne(reader, repeated[i * 3 + 2]!, base)) return false;
    }
    // The others end with it.
    this.#attributes.end();
    return true;
  }

  clear(): void {
    this.#writer.clear();
  }

  #pushOne(reader: WireReader, end: number, base: BaseUnit | undefined): boolean {
    const exemplar = this.#exemplar;
    if (!exemplar.read(reader, end, EXEMPLAR_REPEATS)) return false;
    const hi = exemplar.hi(reader, EXEMPLAR_TIME);
    if (timeValid(hi)) this.#time.items.push(exemplar.lo(reader, EXEMPLAR_TIME), hi);
    else this.#time.items.push(0, 0);
    const value = numberValue(reader, exemplar, EXEMPLAR_DOUBLE, EXEMPLAR_INT);
    this.#value.items.pushFloat(base === undefined ? value : toBase(value, base));
    pushId(reader, exemplar, EXEMPLAR_SPAN_ID, this.#spanId.items);
    pushId(reader, exemplar, EXEMPLAR_TRACE_ID, this.#traceId.items);
    return pushAttributes(reader, exemplar, this.#writer);
  }
}

function pushId(reader: WireReader, message: MessageFields, field: number, column: StringColumn): void {
  const start = message.start[field]!;
  if (start < 0) column.pushEmpty();
  else pushHex(reader.buf, start, message.end[field]!, column);
}

/** The value of a oneof of a double and an sfixed64: the one that stands last; 0 where there is neither. */
export function numberValue(reader: WireReader, fields: MessageFields, double: number, int: number): number {
  const doubleAt = fields.start[double]!;
  const intAt = fields.start[int]!;
  if (doubleAt > intAt) return readDouble(reader, doubleAt);
  if (intAt < 0) return 0;
  return (reader.low32(intAt + 4) | 0) * TWO_32 + reader.low32(intAt);
}
