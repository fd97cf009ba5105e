import { corrupt, type Readable, unknownVersion } from './layout.ts';
import { TABLES, type TableName } from './tables.ts';

/** Where a rows partition's newest taken record of one edge stands. */
export interface EdgeMark {
  /** 16 hex digits. */
  readonly edge: string;
  readonly seq: number;
  /** When the broker appended that record, ms since the epoch; old marks are dropped by it. */
  readonly seenMs: number;
}

/** One table's rows in the value of a rows record: one zstd frame that holds one Native block. */
export interface RowsSection {
  /** What partitions of the table its rows are of, as `laneOf` says; 0: of any. Readers of before lanes pass over it. */
  readonly lane: number;
  readonly table: TableName;
  readonly rows: number;
  /** Bytes of the Native block before zstd. */
  readonly blockBytes: number;
  /** Where the frame lies in the value. */
  readonly start: number;
  readonly end: number;
}

/** A new owner's mark in the rows log: records of older epochs that follow it do not count. */
export interface Fence {
  readonly kind: 'fence';
  readonly epoch: number;
  /** Random id of the owner, 16 hex digits. */
  readonly owner: string;
}

/** Rows of the raw records [rawFirst..rawLast], both inclusive. */
export interface RowsMeta {
  readonly kind: 'rows';
  readonly epoch: number;
  readonly owner: string;
  readonly rawFirst: number;
  readonly rawLast: number;
  /** Received-at of the oldest raw record in the range, ns since the epoch. */
  readonly oldestReceivedAtNs: bigint;
  readonly sections: readonly RowsSection[];
  /** Complete: the newest seq taken of every edge that still counts. */
  readonly marks: readonly EdgeMark[];
}

const VERSION = 1;
const HEAD = 1 + 1 + 8 + 8;
const BODY = 8 + 8 + 8 + 2 + 4;
const SECTION = 1 + 1 + 4 + 4 + 4 + 4;
const MARK = 8 + 8 + 8;

/** Encodes the `weir` header of a fence or of a rows record. */
export function encodeRowsMeta(meta: Fence | RowsMeta): Buffer {
  const size = meta.kind === 'fence' ? HEAD : HEAD + BODY + meta.sections.length * SECTION + meta.marks.length * MARK;
  const out = Buffer.allocUnsafe(size);
  out[0] = VERSION;
  out[1] = meta.kind === 'fence' ? 0 : 1;
  out.writeBigUInt64BE(BigInt(meta.epoch), 2);
  out.write(meta.owner, 10, 8, 'hex');
  if (meta.kind === 'fence') return out;
  out.writeBigUInt64BE(BigInt(meta.rawFirst), HEAD);
  out.writeBigUInt64BE(BigInt(meta.rawLast), HEAD + 8);
  out.writeBigUInt64BE(meta.oldestReceivedAtNs, HEAD + 16);
  out.writeUInt16BE(meta.sections.length, HEAD + 24);
  out.writeUInt32BE(meta.marks.length, HEAD + 26);
  let at = HEAD + BODY;
  for (const section of meta.sections) {
    out[at] = section.lane;
    out[at + 1] = TABLES.indexOf(section.table);
    out.writeUInt32BE(section.rows, at + 2);
    out.writeUInt32BE(section.blockBytes, at + 6);
    out.writeUInt32BE(section.start, at + 10);
    out.writeUInt32BE(section.end, at + 14);
    at += SECTION;
  }
  for (const mark of meta.marks) {
    out.write(mark.edge, at, 8, 'hex');
    out.writeBigUInt64BE(BigInt(mark.seq), at + 8);
    out.writeBigUInt64BE(BigInt(mark.seenMs), at + 16);
    at += MARK;
  }
  return out;
}

/**
 * Decodes the `weir` header of a rows-topic record.
 *
 * @param valueBytes length of its value: sections must lie in it
 * @param withMarks false where nobody asks for the marks, which may be thousands: then there are none
 */
export function decodeRowsMeta(
  header: Buffer | null,
  valueBytes: number,
  withMarks = true,
): Readable<Fence | RowsMeta> {
  if (header === null || header[0] !== VERSION) return unknownVersion('rows', header?.[0]);
  if (header.length < HEAD) return corrupt('rows', 'length does not fit');
  const epoch = Number(header.readBigUInt64BE(2));
  const owner = header.toString('hex', 10, 18);
  if (header[1] === 0) return { ok: true, value: { kind: 'fence', epoch, owner } };
  if (header[1] !== 1 || header.length < HEAD + BODY) return corrupt('rows', 'kind or length does not fit');
  const sectionCount = header.readUInt16BE(HEAD + 24);
  const markCount = header.readUInt32BE(HEAD + 26);
  if (header.length !== HEAD + BODY + sectionCount * SECTION + markCount * MARK) {
    return corrupt('rows', 'length does not fit');
  }
  const sections: RowsSection[] = [];
  let at = HEAD + BODY;
  for (let i = 0; i < sectionCount; i++, at += SECTION) {
    const table = TABLES[header[at + 1]!];
    const start = header.readUInt32BE(at + 10);
    const end = header.readUInt32BE(at + 14);
    const rows = header.readUInt32BE(at + 2);
    if (table === undefined || rows === 0 || start > end || end > valueBytes) {
      return corrupt('rows', 'a section does not fit');
    }
    sections.push({
      lane: header[at]!,
      table,
      rows,
      blockBytes: header.readUInt32BE(at + 6),
      start,
      end,
    });
  }
  const marks: EdgeMark[] = [];
  for (let i = 0; withMarks && i < markCount; i++, at += MARK) {
    marks.push({
      edge: header.toString('hex', at, at + 8),
      seq: Number(header.readBigUInt64BE(at + 8)),
      seenMs: Number(header.readBigUInt64BE(at + 16)),
    });
  }
  return {
    ok: true,
    value: {
      kind: 'rows',
      epoch,
      owner,
      rawFirst: Number(header.readBigUInt64BE(HEAD)),
      rawLast: Number(header.readBigUInt64BE(HEAD + 8)),
      oldestReceivedAtNs: header.readBigUInt64BE(HEAD + 16),
      sections,
      marks,
    },
  };
}
