import type { StringColumn } from '@weir/native';
import { DEPTH_MAX, SHORT, WIRE, type WireReader } from '@weir/otlp';

const STRING = 1;
const BOOL = 2;
const INT = 3;
const DOUBLE = 4;
const ARRAY = 5;
const KVLIST = 6;
const BYTES = 7;
const NONE = 0;
/** Above it are fields that this code does not know: they say nothing about the value. */
const KIND_MAX = 8;
const STRING_TAG = (STRING << 3) | WIRE.bytes;

const scratch = new DataView(new ArrayBuffer(8));

/**
 * Writes an AnyValue as one row of text: strings as they are, numbers and booleans in their text form, arrays and maps
 * as JSON, bytes as base64, an unset value as the empty string. False once the reader has a fault.
 */
export function pushAnyValue(reader: WireReader, end: number, column: StringColumn): boolean {
  const { buf } = reader;
  const first = reader.pos;
  // A short string alone, as nearly every value: its length and bytes stand here as ClickHouse has them. A length of more bytes may
  // be of more than it needs, and is written anew.
  if (end - first >= 2 && buf[first] === STRING_TAG && buf[first + 1]! < SHORT && first + 2 + buf[first + 1]! === end) {
    column.pushEncoded(buf, first + 1, end);
    reader.pos = end;
    return true;
  }
  let kind = NONE;
  let start = 0;
  let stop = 0;
  while (reader.pos < end) {
    const tag = reader.tag(end);
    if (tag < 0) return false;
    let at = reader.pos;
    if ((tag & 7) === WIRE.bytes) {
      const to = reader.length(end);
      if (to < 0) return false;
      at = reader.pos;
      reader.pos = to;
    } else if (!reader.skip(tag & 7, end)) return false;
    if (tag >>> 3 > KIND_MAX) continue;
    kind = tag >>> 3;
    start = at;
    stop = reader.pos;
  }
  if (kind === STRING) column.push(buf, start, stop);
  else if (kind === NONE) column.pushEmpty();
  else return pushOther(reader, kind, start, stop, column);
  return true;
}

function pushOther(reader: WireReader, kind: number, start: number, stop: number, column: StringColumn): boolean {
  const back = reader.pos;
  reader.pos = start;
  if (kind === ARRAY || kind === KVLIST) {
    const json = kind === ARRAY ? arrayJson(reader, stop, 0) : mapJson(reader, stop, 0);
    if (json === undefined) return false;
    column.pushText(json);
  } else if (kind === BYTES) column.pushText(Buffer.from(reader.buf.subarray(start, stop)).toString('base64'));
  else if (kind === INT) pushInt(reader, stop, column);
  else column.pushText(scalarText(reader, kind));
  reader.pos = back;
  return true;
}

function pushInt(reader: WireReader, stop: number, column: StringColumn): void {
  const lo = reader.varint(stop);
  if (reader.hi === 0) column.pushDecimal(lo);
  else column.pushText(int64Text(lo, reader.hi));
}

function int64Text(lo: number, hi: number): string {
  return BigInt.asIntN(64, (BigInt(hi) << 32n) | BigInt(lo)).toString();
}

/** Text of a bool, int or double whose value starts at the position; the empty string for a kind that is not known. */
function scalarText(reader: WireReader, kind: number): string {
  if (kind === DOUBLE) return doubleText(readDouble(reader, reader.pos));
  if (kind !== BOOL && kind !== INT) return '';
  const lo = reader.varint(reader.buf.length);
  const { hi } = reader;
  if (kind === BOOL) return lo !== 0 || hi !== 0 ? 'true' : 'false';
  return hi === 0 ? String(lo) : int64Text(lo, hi);
}

/** NaN and infinities are written as OTLP/JSON writes them. */
function doubleText(value: number): string {
  return Object.is(value, -0) ? '-0' : String(value);
}

/** The little-endian double at `at`. */
export function readDouble(reader: WireReader, at: number): number {
  scratch.setUint32(0, reader.low32(at), true);
  scratch.setUint32(4, reader.low32(at + 4), true);
  return scratch.getFloat64(0, true);
}

function arrayJson(reader: WireReader, end: number, depth: number): string | undefined {
  const items: string[] = [];
  while (reader.pos < end) {
    const stop = nextMessage(reader, end, 1);
    if (stop === -1) return undefined;
    if (stop === -2) continue;
    const json = valueJson(reader, stop, depth + 1);
    if (json === undefined) return undefined;
    items.push(json);
  }
  return `[${items.join(',')}]`;
}

/** Keys stand in the order of their bytes and the last of several with one key counts, so that equal maps are equal texts. */
function mapJson(reader: WireReader, end: number, depth: number): string | undefined {
  const pairs = new Map<string, string>();
  while (reader.pos < end) {
    const stop = nextMessage(reader, end, 1);
    if (stop === -1) return undefined;
    if (stop === -2) continue;
    if (!addPair(reader, stop, depth + 1, pairs)) return undefined;
  }
  if (pairs.size < 2) return `{${[...pairs].map(member).join(',')}}`;
  const sorted = [...pairs].sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  return `{${sorted.map(member).join(',')}}`;
}

function member([key, value]: readonly [string, string]): string {
  return `${JSON.stringify(key)}:${value}`;
}

/** End of the next message in `field`; -2 where another field was passed over, -1 once there is a fault. */
function nextMessage(reader: WireReader, end: number, field: number): number {
  const tag = reader.tag(end);
  if (tag < 0) return -1;
  if (tag !== ((field << 3) | 2)) return reader.skip(tag & 7, end) ? -2 : -1;
  return reader.length(end);
}

function addPair(reader: WireReader, end: number, depth: number, pairs: Map<string, string>): boolean {
  let key = '';
  let value: string | undefined = 'null';
  while (reader.pos < end) {
    const tag = reader.tag(end);
    if (tag < 0) return false;
    if (tag !== 0x0a && tag !== 0x12) {
      if (!reader.skip(tag & 7, end)) return false;
      continue;
    }
    const stop = reader.length(end);
    if (stop < 0) return false;
    if (tag === 0x0a) {
      key = textOf(reader, reader.pos, stop);
      reader.pos = stop;
    } else {
      value = valueJson(reader, stop, depth);
      if (value === undefined) return false;
    }
  }
  pairs.set(key, value);
  return true;
}

function valueJson(reader: WireReader, end: number, depth: number): string | undefined {
  if (depth > DEPTH_MAX) return undefined;
  let json: string | undefined = 'null';
  while (reader.pos < end) {
    const tag = reader.tag(end);
    if (tag < 0) return undefined;
    const kind = tag >>> 3;
    if (kind > KIND_MAX) {
      if (!reader.skip(tag & 7, end)) return undefined;
      continue;
    }
    if ((tag & 7) !== WIRE.bytes) {
      const at = reader.pos;
      if (!reader.skip(tag & 7, end)) return undefined;
      const back = reader.pos;
      reader.pos = at;
      const text = scalarText(reader, kind);
      json = text === '' ? 'null' : jsonNumber(text);
      reader.pos = back;
      continue;
    }
    const stop = reader.length(end);
    if (stop < 0) return undefined;
    json = lengthJson(reader, kind, stop, depth);
    if (json === undefined) return undefined;
    reader.pos = stop;
  }
  return json;
}

function lengthJson(reader: WireReader, kind: number, stop: number, depth: number): string | undefined {
  if (kind === STRING) return JSON.stringify(textOf(reader, reader.pos, stop));
  if (kind === BYTES) return JSON.stringify(Buffer.from(reader.buf.subarray(reader.pos, stop)).toString('base64'));
  if (kind === ARRAY) return arrayJson(reader, stop, depth + 1);
  if (kind === KVLIST) return mapJson(reader, stop, depth + 1);
  return 'null';
}

/** JSON has no NaN or infinity: they are strings. */
function jsonNumber(text: string): string {
  return text === 'NaN' || text === 'Infinity' || text === '-Infinity' ? `"${text}"` : text;
}

export function textOf(reader: WireReader, start: number, end: number): string {
  return Buffer.from(reader.buf.buffer, reader.buf.byteOffset, reader.buf.byteLength).toString('utf8', start, end);
}
