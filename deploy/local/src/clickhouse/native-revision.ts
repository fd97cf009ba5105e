import { NativeCursor, parseNativeType, skipColumn } from './native-type.ts';

/** From this protocol version on each column says whether its serialization is a special one. */
const CUSTOM_SERIALIZATION = 54_454;

/** BlockInfo: no overflow rows (field 1), no bucket (field 2: -1), end. */
const BLOCK_INFO = Buffer.from([1, 0, 2, 0xff, 0xff, 0xff, 0xff, 0]);
const ORDINARY = Buffer.from([0]);

/**
 * Native blocks as a server sends them to a client that gives its `client_protocol_version`: the engine writes them for
 * version 0. Go's client asks for this over HTTP; its own inserts are of version 0 all the same.
 * @throws EngineError where a column's type is not known here
 */
export function forRevision(blocks: Uint8Array, revision: number): Uint8Array {
  if (revision === 0 || blocks.length === 0) return blocks;
  const cursor = new NativeCursor(blocks);
  const parts: Uint8Array[] = [];
  while (!cursor.ended) {
    parts.push(BLOCK_INFO);
    let from = cursor.at;
    const columns = cursor.varint();
    const rows = cursor.varint();
    for (let column = 0; column < columns; column++) {
      cursor.text();
      const type = parseNativeType(cursor.text());
      if (revision >= CUSTOM_SERIALIZATION) {
        parts.push(cursor.slice(from, cursor.at), ORDINARY);
        from = cursor.at;
      }
      skipColumn(cursor, type, rows);
    }
    parts.push(cursor.slice(from, cursor.at));
  }
  return Buffer.concat(parts);
}
