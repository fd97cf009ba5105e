import { isPlainAttribute, KEY_TAG, VALUE_TAG } from './plain-field.ts';
import { CHILDREN, FIELD_MAX, KIND, KINDS, messageIndex } from './schema.ts';
import { isAscii, isUtf8, SHORT, type WireReader } from './wire.ts';

/** Messages may nest this deep, the export itself included: what the reference decoder allows. */
export const DEPTH_MAX = 100;

/** Wire type of a KIND where the field is not repeated and packed. */
const WIRE_OF = new Uint8Array([0, 0, 0, 1, 1, 5, 2, 2, 2, 1, 1, 0]);

/**
 * Checks the bytes up to `end` as message number `message` of the schema and moves the reader there: tags, lengths,
 * wire types, UTF-8 and depth. Unknown fields are passed over, groups are refused. Stricter than the reference decoder
 * in two points, as other decoders are: a known field with another wire type, and a field that crosses the end of
 * its message.
 */
export function checkMessage(reader: WireReader, message: number, end: number, depth: number): boolean {
  if (depth > DEPTH_MAX) return reader.fail('nested_too_deep');
  while (reader.pos < end) {
    const tag = reader.tag(end);
    if (tag < 0 || !checkField(reader, message, tag, end, depth)) return false;
  }
  return true;
}

const KEY_VALUE = messageIndex('KeyValue');
const ANY_VALUE = messageIndex('AnyValue');

/**
 * {@link checkMessage} of a KeyValue. Nearly all are a short ASCII key and a short ASCII text, most others a short key and a short
 * value; those are walked without going through the schema.
 */
export function checkAttribute(reader: WireReader, end: number, depth: number): boolean {
  const { buf, pos } = reader;
  if (isPlainAttribute(reader, pos, end)) {
    reader.pos = end;
    return true;
  }
  const value = end - pos < 4 ? end : pos + 2 + buf[pos + 1]!;
  const usual =
    value <= end - 2 &&
    buf[pos] === KEY_TAG &&
    buf[value] === VALUE_TAG &&
    buf[value + 1]! < SHORT &&
    value + 2 + buf[value + 1]! === end &&
    isAscii(reader, pos + 1, value);
  if (!usual) return checkMessage(reader, KEY_VALUE, end, depth);
  reader.pos = value + 2;
  return checkMessage(reader, ANY_VALUE, end, depth + 1);
}

/** Checks the value of one field, whose tag has been read. */
export function checkField(reader: WireReader, message: number, tag: number, end: number, depth: number): boolean {
  const field = tag >>> 3;
  const at = (message << 5) | field;
  const kind = field > FIELD_MAX ? KIND.unknown : KINDS[at]!;
  const type = tag & 7;
  if (kind === KIND.unknown) return reader.skip(type, end);
  if (type !== WIRE_OF[kind]) {
    if (kind >= KIND.packedFixed64 && type === 2) return checkPacked(reader, kind, end);
    return reader.fail('wrong_wire_type');
  }
  if (type !== 2) return reader.skip(type, end);
  const stop = reader.length(end);
  if (stop < 0) return false;
  if (kind === KIND.message) return checkMessage(reader, CHILDREN[at]!, stop, depth + 1);
  if (kind === KIND.string && !isUtf8(reader, reader.pos, stop)) return reader.fail('invalid_utf8');
  reader.pos = stop;
  return true;
}

function checkPacked(reader: WireReader, kind: number, end: number): boolean {
  const stop = reader.length(end);
  if (stop < 0) return false;
  if (kind !== KIND.packedVarint) {
    if (((stop - reader.pos) & 7) !== 0) return reader.fail('truncated');
    reader.pos = stop;
    return true;
  }
  while (reader.pos < stop) if (reader.varint(stop) < 0) return false;
  return true;
}
