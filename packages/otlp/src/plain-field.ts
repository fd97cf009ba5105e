import { isAscii, SHORT, WIRE, type WireReader } from './wire.ts';

export const KEY_TAG = (1 << 3) | WIRE.bytes;
export const VALUE_TAG = (2 << 3) | WIRE.bytes;
const TEXT_TAG = (1 << 3) | WIRE.bytes;
/** Of a KeyValue whose key and value are two texts: two tags and lengths, and those of the text within the value. */
const ATTRIBUTE_MIN = 6;

/**
 * Where an attribute ends whose length stands at `lengthAt`, in a message that ends at `end`; -1 where it is not as nearly all are:
 * a length of one byte, a short ASCII key, then a short ASCII text.
 */
export function plainAttributeEnd(reader: WireReader, lengthAt: number, end: number): number {
  const size = reader.buf[lengthAt]!;
  const stop = lengthAt + 1 + size;
  return size < SHORT && stop <= end && isPlainAttribute(reader, lengthAt + 1, stop) ? stop : -1;
}

/**
 * Whether the bytes [start, end) are a KeyValue of a short ASCII key and a short ASCII text. All that stands between those is ASCII
 * as well, so one walk over all of it tells.
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

/** As {@link plainAttributeEnd}, of an AnyValue that is a short ASCII text. */
export function plainTextEnd(reader: WireReader, lengthAt: number, end: number): number {
  const { buf } = reader;
  const size = buf[lengthAt]!;
  const start = lengthAt + 1;
  const stop = start + size;
  if (size < 2 || size >= SHORT || stop > end) return -1;
  const isText = buf[start] === TEXT_TAG && start + 2 + buf[start + 1]! === stop;
  return isText && isAscii(reader, start + 1, stop) ? stop : -1;
}
