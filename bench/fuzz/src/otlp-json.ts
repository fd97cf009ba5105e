import {
  type DescField,
  type DescMessage,
  fromJson,
  type JsonValue,
  type Message,
  ScalarType,
} from '@bufbuild/protobuf';
import type { SignalKind } from '@weir/pipeline';
import { REQUEST_SCHEMAS } from '@weir/testkit';

/** Where OTLP/JSON, or Weir's reading of it, is not what protobuf's JSON mapping says. */
export const JSON_RULES = {
  hex: 'ids are hex in either case, whole bytes (protobuf: base64)',
  names: 'only lowerCamelCase names are known; a snake_case one is an unknown field (protobuf takes both)',
  enums: 'enums are integers (protobuf takes names too)',
  digits: '64-bit integers that are JSON numbers keep every digit (the official decoder gets what a double holds)',
  integerText:
    'an integer in quotes is 1 to 20 decimal digits with or without a minus (the official decoder takes hex, exponents, spaces)',
  doubleText:
    'a double in quotes is a decimal number, NaN, Infinity or -Infinity (the official decoder takes hex and the like)',
  base64:
    'base64 has no white space, padding only at its end, and no digit alone behind its groups of four (the official decoder takes all three)',
  surrogates: 'a lone surrogate in a string becomes U+FFFD (the official decoder refuses it)',
  oneofNull: 'null is unset for every member of a oneof (the official decoder counts a null message as one set twice)',
  depth: 'unknown fields too may not nest more than 202 brackets deep',
} as const;

export type JsonRule = keyof typeof JSON_RULES;

/** A number as it stands in the text. */
class ExactNumber {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** Says that a rule of Weir refuses what protobuf's mapping would take. */
class RefusedBy extends Error {
  readonly rule: JsonRule;

  constructor(rule: JsonRule) {
    super(rule);
    this.rule = rule;
  }
}

/** What an OTLP/JSON text has to become. */
export type OfficialJson = { readonly message: Message } | { readonly refusedBy: JsonRule | 'official' };

const BRACKETS_MAX = 202;
const ID_NAMES = new Set(['traceId', 'spanId', 'parentSpanId']);
const WIDE = new Set([ScalarType.INT64, ScalarType.UINT64, ScalarType.FIXED64, ScalarType.SFIXED64]);

/** Reads a text as the official definition says, once each field has been put as protobuf's mapping would have it. */
export function officialJson(signal: SignalKind, text: string): OfficialJson {
  const schema: DescMessage = REQUEST_SCHEMAS[signal];
  if (bracketDepth(text) > BRACKETS_MAX) return { refusedBy: 'depth' };
  try {
    const value = JSON.parse(text, keepNumbers as never) as unknown;
    return { message: fromJson(schema, mapMessage(schema, value), { ignoreUnknownFields: true }) };
  } catch (error) {
    return { refusedBy: error instanceof RefusedBy ? error.rule : 'official' };
  }
}

function keepNumbers(_key: string, value: unknown, context?: { source?: string }): unknown {
  return typeof value === 'number' ? new ExactNumber(context?.source ?? String(value)) : value;
}

/** How deep brackets nest outside strings. */
export function bracketDepth(text: string): number {
  let [depth, most, inString] = [0, 0, false];
  for (let at = 0; at < text.length; at++) {
    const char = text[at]!;
    if (inString && char === '\\') at++;
    else if (char === '"') inString = !inString;
    else if (!inString && (char === '{' || char === '[')) most = Math.max(most, ++depth);
    else if (!inString && (char === '}' || char === ']')) depth--;
  }
  return most;
}

function mapMessage(message: DescMessage, value: unknown): JsonValue {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return plain(value);
  if (value instanceof ExactNumber) return plain(value);
  const mapped: Record<string, JsonValue> = {};
  for (const [name, content] of Object.entries(value)) {
    const field = message.fields.find(({ jsonName }) => jsonName === name);
    if (field === undefined || (content === null && field.oneof !== undefined)) continue;
    const list = field.fieldKind === 'list' && Array.isArray(content);
    mapped[name] = list ? content.map((item) => mapField(field, item)) : mapField(field, content);
  }
  return mapped;
}

function plain(value: unknown): JsonValue {
  if (value instanceof ExactNumber) return Number(value.text);
  // Of the wrong kind whatever is in it: its kind is what the decoder sees.
  return Array.isArray(value) ? [] : typeof value === 'object' && value !== null ? {} : (value as JsonValue);
}

function mapField(field: DescField, value: unknown): JsonValue {
  if (field.message !== undefined) return mapMessage(field.message, value);
  if (field.enum !== undefined) {
    if (typeof value === 'string') throw new RefusedBy('enums');
    return plain(value);
  }
  const type = field.scalar;
  if (value instanceof ExactNumber) {
    const keeps = WIDE.has(type!) && /^-?\d+$/.test(value.text);
    return keeps ? value.text : plain(value);
  }
  if (typeof value !== 'string') return plain(value);
  if (type === ScalarType.STRING) return value.toWellFormed();
  if (type === ScalarType.BYTES) return mapBytes(field, value);
  if (type === ScalarType.DOUBLE) {
    if (/^(NaN|-?Infinity|-?\d+(\.\d+)?([eE][+-]?\d+)?)$/.test(value)) return value;
    throw new RefusedBy('doubleText');
  }
  if (type !== ScalarType.BOOL && !/^-?\d{1,20}$/.test(value)) throw new RefusedBy('integerText');
  return value;
}

function mapBytes(field: DescField, value: string): string {
  if (!ID_NAMES.has(field.jsonName)) {
    const digits = /^([0-9A-Za-z+/_-]*)={0,2}$/.exec(value)?.[1];
    if (digits === undefined || digits.length % 4 === 1) throw new RefusedBy('base64');
    return value;
  }
  if (value.length % 2 !== 0 || /[^0-9a-fA-F]/.test(value)) throw new RefusedBy('hex');
  return Buffer.from(value, 'hex').toString('base64');
}
