import { type DescField, type DescMessage, ScalarType } from '@bufbuild/protobuf';
import { fieldOf, rangeOf, readVarint, varintEnd } from './wire-tree.ts';

/**
 * What the scan refuses although the official decoder takes it. The decoder trusts the schema where it should look at the
 * wire: it reads a field by its number whatever its wire type, lets a field run over the end of its message into the next
 * one, and takes of a length only its lower 32 bits. Two decoders could read such bytes differently.
 */
export const STRICT_RULES = {
  group: 'group tags (wire types 3 and 4), also of unknown fields: OTLP has no groups, and proto3 cannot make them',
  wireType: 'a known field with another wire type than its own',
  pastEnd: 'a field that crosses the end of its message, and a length of 2^32 or more',
  longVarint: 'a varint of more than ten bytes in an unknown field',
} as const;

export type StrictRule = keyof typeof STRICT_RULES;

/** What a plain walk along the official descriptors found. */
export interface StrictWalk {
  /** The first rule that the bytes break. */
  readonly broken: StrictRule | undefined;
  /** Some message that may stand once stands more than once: protobuf merges them, the transcoder takes the last. */
  readonly repeatsSingle: boolean;
}

class Broken {
  readonly rule: StrictRule;

  constructor(rule: StrictRule) {
    this.rule = rule;
  }
}

/** Walks an export that the official decoder takes. Written for its plainness, and apart from the scan. */
export function strictWalk(message: DescMessage, bytes: Buffer): StrictWalk {
  const walk = { repeatsSingle: false };
  try {
    walkMessage(message, bytes, walk);
    return { broken: undefined, ...walk };
  } catch (error) {
    if (!(error instanceof Broken)) throw error;
    return { broken: error.rule, ...walk };
  }
}

function walkMessage(message: DescMessage, bytes: Buffer, walk: { repeatsSingle: boolean }): void {
  let seen = 0;
  for (let at = 0; at < bytes.length; ) {
    const tag = readVarint(bytes, at);
    const type = tag % 8;
    const number = Math.floor(tag / 8);
    if (type === 3 || type === 4) throw new Broken('group');
    const field = fieldOf(message, number);
    if (field !== undefined && !wireTypes(field).includes(type)) throw new Broken('wireType');
    const [start, end] = rangeOf(bytes, endOf(bytes, at), type);
    if (start < 0 || end < 0 || end > bytes.length) throw new Broken(ruleOf(bytes, at));
    if (field?.message !== undefined) {
      const bit = 1 << number;
      if (field.fieldKind === 'message' && (seen & bit) !== 0) walk.repeatsSingle = true;
      seen |= bit;
      walkMessage(field.message, bytes.subarray(start, end), walk);
    } else if (field?.fieldKind === 'list' && type === 2) walkPacked(field, bytes.subarray(start, end));
    at = end;
  }
}

function endOf(bytes: Buffer, at: number): number {
  const end = varintEnd(bytes, at);
  if (end < 0) throw new Broken(ruleOf(bytes, at));
  return end;
}

/** What is too long where a varint has no end: itself, or, of ten bytes at most, the message is over before it. */
function ruleOf(bytes: Buffer, at: number): StrictRule {
  let end = varintEnd(bytes, at);
  if (end < 0) end = at;
  const run = bytes.subarray(end, end + 10);
  return run.length === 10 && run.every((byte) => byte >= 0x80) ? 'longVarint' : 'pastEnd';
}

function walkPacked(field: DescField, value: Buffer): void {
  const type = scalarType(field.scalar);
  if (type === 1 && value.length % 8 !== 0) throw new Broken('pastEnd');
  if (type === 0) for (let at = 0; at < value.length; ) at = endOf(value, at);
}

/** Wire types that a field may have; a list of numbers may be packed. */
function wireTypes(field: DescField): number[] {
  if (field.message !== undefined) return [2];
  const type = field.enum === undefined ? scalarType(field.scalar) : 0;
  return field.fieldKind === 'list' && type !== 2 ? [type, 2] : [type];
}

function scalarType(scalar: ScalarType | undefined): number {
  switch (scalar) {
    case ScalarType.FIXED64:
    case ScalarType.SFIXED64:
    case ScalarType.DOUBLE:
      return 1;
    case ScalarType.FIXED32:
    case ScalarType.SFIXED32:
    case ScalarType.FLOAT:
      return 5;
    case ScalarType.STRING:
    case ScalarType.BYTES:
      return 2;
    default:
      return 0;
  }
}
