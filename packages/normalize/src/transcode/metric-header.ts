import { isMetricData, type Renames, type Upgrade, WIRE, type WireReader } from '@weir/otlp';
import { textOf } from './any-value.ts';
import { Range } from './origin.ts';
import { BASE_UNITS, type BaseUnit } from './units.ts';

const NAME = (1 << 3) | WIRE.bytes;
const DESCRIPTION = (2 << 3) | WIRE.bytes;
const UNIT = (3 << 3) | WIRE.bytes;
const TEMPORALITY = (2 << 3) | WIRE.varint;
const MONOTONIC = (3 << 3) | WIRE.varint;

/** What the data points of one metric share. */
export class MetricHeader {
  readonly name = new Range();
  readonly description = new Range();
  readonly unit = new Range();
  /** The unit as text, where it has a base unit to be converted to. */
  unitText = '';
  base: BaseUnit | undefined;
  /** Field of Metric that holds the data that counts; 0 where there is none. */
  data = 0;
  /** Where the run of data fields that counts begins. */
  dataFrom = 0;
  temporality = 0;
  monotonic = false;
  /** Of its points' attributes. */
  renames: Renames | undefined;
  /** The name, where it has been renamed. */
  nameOfToday: Buffer | undefined;

  /** Brings its names up to date. */
  upgrade(reader: WireReader, upgrade: Upgrade | undefined): void {
    this.renames = undefined;
    this.nameOfToday = undefined;
    if (upgrade === undefined) return;
    const sent = textOf(reader, this.name.start, this.name.end);
    const today = upgrade.metricNames.get(sent);
    if (today !== undefined) this.nameOfToday = Buffer.from(today);
    this.renames = upgrade.points(sent);
  }

  /** Bytes of what every row repeats. */
  get size(): number {
    const { name, description, unit } = this;
    return name.end - name.start + description.end - description.start + unit.end - unit.start;
  }

  /** Reads the metric up to `end`; the position is left where it was. False once the reader has a fault. */
  read(reader: WireReader, end: number): boolean {
    const start = reader.pos;
    this.name.clear();
    this.description.clear();
    this.unit.clear();
    this.data = 0;
    while (reader.pos < end) {
      const at = reader.pos;
      const tag = reader.tag(end);
      if (tag < 0) return false;
      if ((tag & 7) !== WIRE.bytes) {
        if (!reader.skip(tag & 7, end)) return false;
        continue;
      }
      const stop = reader.length(end);
      if (stop < 0) return false;
      this.#field(tag, at, reader.pos, stop);
      reader.pos = stop;
    }
    const { unit } = this;
    const text = unit.end > unit.start ? textOf(reader, unit.start, unit.end) : '';
    this.base = BASE_UNITS.get(text);
    this.unitText = text;
    reader.pos = start;
    return true;
  }

  /** Reads temporality and monotonicity out of the data message up to `end`; the position is left where it was. */
  readData(reader: WireReader, end: number): boolean {
    const start = reader.pos;
    this.temporality = 0;
    this.monotonic = false;
    while (reader.pos < end) {
      const tag = reader.tag(end);
      if (tag < 0) return false;
      if (tag !== TEMPORALITY && tag !== MONOTONIC) {
        if (!reader.skip(tag & 7, end)) return false;
        continue;
      }
      const value = reader.varint(end);
      if (value < 0) return false;
      if (tag === TEMPORALITY) this.temporality = value | 0;
      else this.monotonic = value !== 0;
    }
    reader.pos = start;
    return true;
  }

  #field(tag: number, at: number, start: number, stop: number): void {
    if (tag === NAME) this.name.set(start, stop);
    else if (tag === DESCRIPTION) this.description.set(start, stop);
    else if (tag === UNIT) this.unit.set(start, stop);
    else {
      const field = tag >>> 3;
      if (!isMetricData(field) || field === this.data) return;
      this.data = field;
      this.dataFrom = at;
    }
  }
}
