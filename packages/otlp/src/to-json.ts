import type { SignalKind } from '@weir/pipeline';
import { type FieldSpec, MESSAGES, type MessageName } from './schema.ts';
import { DEPTH_MAX } from './structure.ts';
import { WIRE, WireReader } from './wire.ts';

type JsonObject = Record<string, unknown>;

const REQUESTS: Readonly<Record<SignalKind, MessageName>> = {
  traces: 'ExportTraceServiceRequest',
  logs: 'ExportLogsServiceRequest',
  metrics: 'ExportMetricsServiceRequest',
};

const BY_NUMBER = new Map(
  Object.entries(MESSAGES).map(([name, fields]) => [name, new Map(fields.map((field) => [field.number, field]))]),
);

/**
 * The protobuf of an export as a value of OTLP/JSON, for somebody to read: ids in hex, other bytes in base64, enums as integers,
 * 64-bit integers as strings. Fields that OTLP does not know are left out. It makes an object of everything: not for the hot path.
 *
 * @returns undefined where the bytes are not an export
 */
export function protobufToJson(signal: SignalKind, bytes: Uint8Array): object | undefined {
  const reader = new WireReader();
  reader.open(bytes);
  const out: JsonObject = {};
  return readMessage(reader, bytes.length, REQUESTS[signal], out, 1) ? out : undefined;
}

/** Reads into `out`: a message that comes twice is one, as protobuf has it. */
function readMessage(reader: WireReader, end: number, name: MessageName, out: JsonObject, depth: number): boolean {
  if (depth > DEPTH_MAX) return reader.fail('nested_too_deep');
  const fields = BY_NUMBER.get(name);
  while (reader.pos < end) {
    const tag = reader.tag(end);
    if (tag < 0) return false;
    const field = fields?.get(tag >>> 3);
    if (field === undefined) {
      if (!reader.skip(tag & 7, end)) return false;
      continue;
    }
    if (field.oneof !== undefined) dropOthers(name, field, out);
    if (!readField(reader, end, field, tag & 7, out, depth)) return false;
  }
  return true;
}

/** Of a oneof the last one counts. */
function dropOthers(name: MessageName, { oneof, name: kept }: FieldSpec, out: JsonObject): void {
  for (const other of MESSAGES[name]) if (other.oneof === oneof && other.name !== kept) delete out[other.name];
}

function readField(
  reader: WireReader,
  end: number,
  field: FieldSpec,
  type: number,
  out: JsonObject,
  depth: number,
): boolean {
  const { name, kind } = field;
  if (type !== WIRE.bytes) {
    const value = readScalar(reader, end, field, type);
    if (value === undefined) return false;
    if (field.repeated === true) listIn(out, name).push(value);
    else out[name] = value;
    return true;
  }
  const stop = reader.length(end);
  if (stop < 0) return false;
  if (kind === 'message') {
    const into: JsonObject = field.repeated === true ? {} : ((out[name] as JsonObject | undefined) ?? {});
    if (field.repeated === true) listIn(out, name).push(into);
    else out[name] = into;
    return readMessage(reader, stop, field.message!, into, depth + 1);
  }
  if (kind === 'string' || kind === 'bytes') {
    const bytes = Buffer.from(reader.buf.subarray(reader.pos, stop));
    const value = bytes.toString(kind === 'string' ? 'utf8' : field.hex === true ? 'hex' : 'base64');
    if (field.repeated === true) listIn(out, name).push(value);
    else out[name] = value;
    reader.pos = stop;
    return true;
  }
  const packed = PACKED[kind];
  if (packed === undefined) return reader.fail('wrong_wire_type');
  const list = listIn(out, name);
  while (reader.pos < stop) {
    const value = readScalar(reader, stop, field, packed);
    if (value === undefined) return false;
    list.push(value);
  }
  return true;
}

/** Wire types of what is in a packed field. */
const PACKED: Partial<Record<FieldSpec['kind'], number>> = {
  packedFixed64: WIRE.fixed64,
  packedDouble: WIRE.fixed64,
  packedVarint: WIRE.varint,
};

/** Wire types of what is not a message, text or bytes. */
const TYPES: Partial<Record<FieldSpec['kind'], number>> = {
  ...PACKED,
  varint: WIRE.varint,
  zigzag: WIRE.varint,
  fixed64: WIRE.fixed64,
  double: WIRE.fixed64,
  fixed32: WIRE.fixed32,
};

function listIn(out: JsonObject, name: string): unknown[] {
  const list = (out[name] as unknown[] | undefined) ?? [];
  out[name] = list;
  return list;
}

function readScalar(reader: WireReader, end: number, field: FieldSpec, type: number): unknown {
  if (TYPES[field.kind] !== type) {
    reader.fail('wrong_wire_type');
    return undefined;
  }
  if (type === WIRE.varint) {
    const lo = reader.varint(end);
    return lo < 0 ? undefined : integer(field, lo, reader.hi);
  }
  const at = reader.pos;
  if (!reader.skip(type, end)) return undefined;
  if (type === WIRE.fixed32) return reader.low32(at);
  const bytes = new DataView(reader.buf.buffer, reader.buf.byteOffset + at, 8);
  if (field.kind === 'double' || field.kind === 'packedDouble') return double(bytes.getFloat64(0, true));
  return integer(field, bytes.getUint32(0, true), bytes.getUint32(4, true));
}

function integer(field: FieldSpec, lo: number, hi: number): unknown {
  if (field.rule === 'bool') return lo !== 0 || hi !== 0;
  if (field.kind === 'zigzag') return (lo >>> 1) ^ -(lo & 1);
  if (field.rule === 'uint32') return lo;
  if (field.rule === 'int32' || field.rule === 'enum') return lo | 0;
  const wide = (BigInt(hi) << 32n) | BigInt(lo);
  return (field.rule === 'int64' ? BigInt.asIntN(64, wide) : wide).toString();
}

/** JSON has no numbers for these. */
function double(value: number): number | string {
  if (Object.is(value, -0)) return '-0';
  return Number.isFinite(value) ? value : String(value);
}
