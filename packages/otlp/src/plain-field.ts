import { isAscii, WIRE, type WireReader } from './wire.ts';

/** Tags, lengths and varints below it are one byte. */
export const SHORT = 0x80;

const KEY_TAG = (1 << 3) | WIRE.bytes;
const VALUE_TAG = (2 << 3) | WIRE.bytes;
const TEXT_TAG = (1 << 3) | WIRE.bytes;
/** Of a KeyValue whose key and value are two texts: two tags and lengths, and those of the text within the value. */
const ATTRIBUTE_MIN = 6;

/**
 * Whether the bytes [start, end) are a KeyValue as nearly all are: a short ASCII key, then a short ASCII text. All that stands
 * between those is ASCII as well, so one walk over all of it tells.
 */
export function isPlainAttribute(reader: WireReader, start: number, end: number): boolean {
  const { buf } = reader;
  if (end - start < ATTRIBUTE_MIN || buf[start] !== KEY_TAG) return false;
  const value = start + 2 + buf[start + 1]!;
  return (
    value <= end - 4 &&
    buf[value] === VALUE_TAG &&
    value + 2 + buf[value + 1]! === end &&
    buf[value + 2] === TEXT_TAG &&
    value + 4 + buf[value + 3]! === end &&
    isAscii(reader, start, end)
  );
}

/** Whether the bytes [start, end) are an AnyValue that is a short ASCII text. */
export function isPlainText(reader: WireReader, start: number, end: number): boolean {
  const { buf } = reader;
  return (
    end - start >= 2 &&
    buf[start] === TEXT_TAG &&
    start + 2 + buf[start + 1]! === end &&
    isAscii(reader, start + 1, end)
  );
}
