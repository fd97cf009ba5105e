import { WireReader } from './wire.ts';

const FIELD_1 = (1 << 3) | 2;
const FIELD_2 = (2 << 3) | 2;
/** Room for the tags and lengths around an item. */
const FRAME_BYTES = 32;

/** A field of a message: [start, end) with its tag and length, [content, end) without. */
interface Field {
  readonly tag: number;
  readonly start: number;
  readonly content: number;
  readonly end: number;
}

/** A piece as it grows: runs of the export, with lengths to be written when it is closed. */
interface Group {
  readonly resourceHead: Buffer;
  readonly scopeHead: Buffer;
  readonly items: Buffer[];
}

/**
 * Splits an export on the bounds of its items, so that no piece is larger than `bytesMax`: each is an export of its own,
 * with its resources and scopes (and their schema URLs) repeated, the items in their order. Undefined where one item,
 * with its resource and scope, is too large alone. The bytes must have passed the scan.
 *
 * A metric is an item here: its data points stay together.
 */
export function splitExport(bytes: Buffer, bytesMax: number): Buffer[] | undefined {
  if (bytes.length <= bytesMax) return [bytes];
  const pieces: Buffer[] = [];
  let groups: Group[] = [];
  let size = 0;
  const flush = () => {
    if (groups.length > 0) pieces.push(Buffer.concat(groups.map(closeGroup)));
    groups = [];
    size = 0;
  };
  for (const resource of fields(bytes, 0, bytes.length)) {
    if (resource.tag !== FIELD_1) continue;
    const resourceHead = headOf(bytes, resource);
    for (const scope of fields(bytes, resource.content, resource.end)) {
      if (scope.tag !== FIELD_2) continue;
      const scopeHead = headOf(bytes, scope);
      const overhead = resourceHead.length + scopeHead.length + FRAME_BYTES;
      let group: Group | undefined;
      for (const item of fields(bytes, scope.content, scope.end)) {
        if (item.tag !== FIELD_2) continue;
        const itemBytes = item.end - item.start;
        if (itemBytes + overhead > bytesMax) return undefined;
        if (size + itemBytes + (group === undefined ? overhead : 0) > bytesMax) {
          flush();
          group = undefined;
        }
        if (group === undefined) {
          group = { resourceHead, scopeHead, items: [] };
          groups.push(group);
          size += overhead;
        }
        group.items.push(bytes.subarray(item.start, item.end));
        size += itemBytes;
      }
    }
  }
  flush();
  return pieces;
}

function closeGroup({ resourceHead, scopeHead, items }: Group): Buffer {
  const scope = Buffer.concat([scopeHead, ...items]);
  const resource = Buffer.concat([resourceHead, prefix(FIELD_2, scope.length), scope]);
  return Buffer.concat([prefix(FIELD_1, resource.length), resource]);
}

/** All fields of a message but its list of items. */
function headOf(bytes: Buffer, message: Field): Buffer {
  const runs: Buffer[] = [];
  for (const { tag, start, end } of fields(bytes, message.content, message.end)) {
    if (tag !== FIELD_2) runs.push(bytes.subarray(start, end));
  }
  return Buffer.concat(runs);
}

function* fields(bytes: Buffer, from: number, end: number): Generator<Field> {
  const reader = new WireReader();
  reader.open(bytes);
  reader.pos = from;
  while (reader.pos < end) {
    const start = reader.pos;
    const tag = reader.tag(end);
    if (tag < 0) return;
    if ((tag & 7) === 2) {
      const stop = reader.length(end);
      if (stop < 0) return;
      yield { tag, start, content: reader.pos, end: stop };
      reader.pos = stop;
    } else {
      const content = reader.pos;
      if (!reader.skip(tag & 7, end)) return;
      yield { tag, start, content, end: reader.pos };
    }
  }
}

function prefix(tag: number, length: number): Buffer {
  const out: number[] = [tag];
  let rest = length;
  while (rest > 0x7f) {
    out.push((rest & 0x7f) | 0x80);
    rest >>>= 7;
  }
  out.push(rest);
  return Buffer.from(out);
}
