import type { SignalKind } from '@weir/pipeline';
import { ProtoWriter } from './proto-writer.ts';
import { type FieldSpec, KIND, MESSAGES, type MessageName } from './schema.ts';
import { DEPTH_MAX } from './structure.ts';

export type FromJson =
  | { readonly ok: true; readonly bytes: Buffer }
  | {
      readonly ok: false;
      readonly reason: 'malformed' | 'too_large';
      /** English; holds nothing of the input. */
      readonly message: string;
    };

const REQUESTS: Readonly<Record<SignalKind, MessageName>> = {
  traces: 'ExportTraceServiceRequest',
  logs: 'ExportLogsServiceRequest',
  metrics: 'ExportMetricsServiceRequest',
};

/** A message takes up to two levels of JSON, an object in a list. */
const JSON_DEPTH_MAX = DEPTH_MAX * 2 + 2;

/**
 * Commas, colons and opening brackets of one body: each may stand for a value, and a value that takes two bytes of JSON
 * takes up to 90 when it is parsed, and 0.3 us. Some 12,000 spans with 8 attributes have as many.
 */
const SIGNS_MAX = 1_000_000;
/** The same where some integer needs its digits kept: then each value takes 1 us and up to 300 bytes. */
const SIGNS_WITH_DIGITS_MAX = 500_000;
/** An integer that a double does not hold has at least as many digits. */
const LONG_DIGITS = 16;

/** A number as it stands in the text, where a double would lose digits. */
class ExactInteger {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

class Fault extends Error {}

/**
 * OTLP/JSON to the protobuf of the same export. Ids are hex in either case, other bytes base64, enums integers, names
 * lowerCamelCase; unknown fields are passed over, null is unset; 64-bit integers may be strings or numbers and keep
 * every digit; NaN and infinities are strings. A number out of its field's range is a fault, and so are two values of one
 * oneof.
 */
export function jsonToProtobuf(signal: SignalKind, bytes: Buffer): FromJson {
  const { tooDeep, signs, longDigits } = survey(bytes);
  if (tooDeep) return malformed('the JSON is nested too deep');
  if (signs > (longDigits ? SIGNS_WITH_DIGITS_MAX : SIGNS_MAX)) {
    return { ok: false, reason: 'too_large', message: 'the JSON has too many values; send fewer items, or protobuf' };
  }
  let value: unknown;
  try {
    value = JSON.parse(bytes.toString('utf8'), longDigits ? (keepDigits as never) : undefined);
  } catch {
    return malformed('the body is not JSON');
  }
  try {
    const out = new ProtoWriter();
    writeMessage(out, REQUESTS[signal], value, 1);
    return { ok: true, bytes: out.bytes() };
  } catch (error) {
    if (error instanceof Fault) return malformed(error.message);
    throw error;
  }
}

function malformed(message: string): FromJson {
  return { ok: false, reason: 'malformed', message };
}

/** What is known of a text before anything recursive looks at it, or makes an object of it. */
interface Survey {
  /** Brackets nest deeper than in any export. */
  readonly tooDeep: boolean;
  /** Commas, colons and opening brackets outside strings: no fewer than values, less one. */
  readonly signs: number;
  /** Some number has digits that a double may lose. */
  readonly longDigits: boolean;
}

function survey(bytes: Buffer): Survey {
  let depth = 0;
  let signs = 0;
  let digits = 0;
  let longDigits = false;
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at]!;
    if (byte >= 0x30 && byte <= 0x39) {
      if (++digits === LONG_DIGITS) longDigits = true;
      continue;
    }
    digits = 0;
    if (byte === 0x22) at = stringEnd(bytes, at + 1);
    else if (byte === 0x2c || byte === 0x3a) signs++;
    else if (byte === 0x7b || byte === 0x5b) {
      signs++;
      if (++depth > JSON_DEPTH_MAX) return { tooDeep: true, signs, longDigits };
    } else if (byte === 0x7d || byte === 0x5d) depth--;
  }
  return { tooDeep: false, signs, longDigits };
}

/** Where the string ends whose first character is at `from`: at its quote. */
function stringEnd(bytes: Buffer, from: number): number {
  let at = from;
  while (at < bytes.length && bytes[at] !== 0x22) at += bytes[at] === 0x5c ? 2 : 1;
  return at;
}

function keepDigits(_key: string, value: unknown, context?: { source?: string }): unknown {
  if (typeof value !== 'number' || Number.isSafeInteger(value) || context?.source === undefined) return value;
  return /^-?\d+$/.test(context.source) ? new ExactInteger(context.source) : value;
}

function writeMessage(out: ProtoWriter, name: MessageName, value: unknown, depth: number): void {
  if (depth > DEPTH_MAX) throw new Fault('the JSON is nested too deep');
  if (typeof value !== 'object' || value === null || Array.isArray(value) || value instanceof ExactInteger) {
    throw new Fault(`${name} must be an object`);
  }
  let member: string | undefined;
  for (const field of MESSAGES[name]) {
    if (!Object.hasOwn(value, field.name)) continue;
    const content = (value as Record<string, unknown>)[field.name];
    if (content === null || content === undefined) continue;
    if (field.oneof !== undefined) {
      // JSON has no order that says which of them counts.
      if (member !== undefined) throw new Fault(`${name}.${field.oneof} is set twice, by ${member} and ${field.name}`);
      member = field.name;
    }
    if (field.repeated === true) writeList(out, name, field, content, depth);
    else writeField(out, name, field, content, depth);
  }
}

function writeList(out: ProtoWriter, name: MessageName, field: FieldSpec, content: unknown, depth: number): void {
  if (!Array.isArray(content)) throw new Fault(`${name}.${field.name} must be a list`);
  if (KIND[field.kind] < KIND.packedFixed64) {
    for (const element of content) writeField(out, name, field, element, depth);
    return;
  }
  if (content.length === 0) return;
  const start = out.open(field.number);
  for (const element of content) {
    if (field.kind === 'packedDouble') out.double(double(element, name, field));
    else if (field.kind === 'packedFixed64') out.fixed64(integer(element, name, field));
    else out.varint64(integer(element, name, field));
  }
  out.close(start);
}

function writeField(out: ProtoWriter, name: MessageName, field: FieldSpec, value: unknown, depth: number): void {
  const { number, kind } = field;
  if (kind === 'message') {
    const start = out.open(number);
    writeMessage(out, field.message!, value, depth + 1);
    out.close(start);
  } else if (kind === 'string') {
    if (typeof value !== 'string') throw new Fault(`${name}.${field.name} must be a string`);
    // A lone surrogate is no character: it is replaced, as everywhere that JSON becomes UTF-8.
    out.text(number, value.toWellFormed());
  } else if (kind === 'bytes') {
    out.field(number, field.hex === true ? hex(value, name, field) : base64(value, name, field));
  } else if (kind === 'double') {
    out.tag(number, 1);
    out.double(double(value, name, field));
  } else writeInteger(out, name, field, value);
}

function writeInteger(out: ProtoWriter, name: MessageName, field: FieldSpec, value: unknown): void {
  const { number, kind } = field;
  const content = field.rule === 'bool' ? bool(value, name, field) : integer(value, name, field);
  if (kind === 'fixed64') {
    out.tag(number, 1);
    out.fixed64(content);
  } else if (kind === 'fixed32') {
    out.tag(number, 5);
    out.fixed32(Number(content));
  } else {
    out.tag(number, 0);
    out.varint64(kind === 'zigzag' ? (content << 1n) ^ (content >> 63n) : content);
  }
}

const RANGES = {
  uint32: [0n, 2n ** 32n - 1n],
  int32: [-(2n ** 31n), 2n ** 31n - 1n],
  enum: [-(2n ** 31n), 2n ** 31n - 1n],
  uint64: [0n, 2n ** 64n - 1n],
  int64: [-(2n ** 63n), 2n ** 63n - 1n],
  bool: [0n, 1n],
} as const;

function integer(value: unknown, name: MessageName, field: FieldSpec): bigint {
  let text: string | undefined;
  if (value instanceof ExactInteger) text = value.text;
  else if (typeof value === 'number' && Number.isInteger(value)) text = BigInt(value).toString();
  else if (typeof value === 'string' && field.rule !== 'enum') text = value;
  if (text === undefined || !/^-?\d{1,20}$/.test(text)) throw new Fault(`${name}.${field.name} must be an integer`);
  const number = BigInt(text);
  const [min, max] = RANGES[field.rule ?? 'int64'];
  if (number < min || number > max) throw new Fault(`${name}.${field.name} is out of range`);
  return number;
}

function bool(value: unknown, name: MessageName, field: FieldSpec): bigint {
  if (typeof value !== 'boolean') throw new Fault(`${name}.${field.name} must be true or false`);
  return value ? 1n : 0n;
}

const NAMED_DOUBLES: Readonly<Record<string, number>> = {
  NaN: Number.NaN,
  Infinity: Number.POSITIVE_INFINITY,
  '-Infinity': Number.NEGATIVE_INFINITY,
};

function double(value: unknown, name: MessageName, field: FieldSpec): number {
  if (value instanceof ExactInteger) return Number(value.text);
  if (typeof value === 'number' && Number.isFinite(value)) return value;
  if (typeof value === 'string') {
    const named = Object.hasOwn(NAMED_DOUBLES, value) ? NAMED_DOUBLES[value] : undefined;
    if (named !== undefined) return named;
    const parsed = /^-?\d+(\.\d+)?([eE][+-]?\d+)?$/.test(value) ? Number(value) : Number.NaN;
    if (Number.isFinite(parsed)) return parsed;
  }
  throw new Fault(`${name}.${field.name} must be a number`);
}

function hex(value: unknown, name: MessageName, field: FieldSpec): Buffer {
  if (typeof value === 'string' && /^(?:[0-9a-fA-F]{2})*$/.test(value)) return Buffer.from(value, 'hex');
  throw new Fault(`${name}.${field.name} must be hex`);
}

function base64(value: unknown, name: MessageName, field: FieldSpec): Buffer {
  if (typeof value === 'string' && /^[0-9A-Za-z+/_-]*={0,2}$/.test(value)) {
    // One digit of a group alone is less than a byte.
    if (value.replace(/=+$/, '').length % 4 !== 1) return Buffer.from(value, 'base64');
  }
  throw new Fault(`${name}.${field.name} must be base64`);
}
