import type { SignalKind } from '@weir/pipeline';
import { minuteOf, signalOf, type TableName, UsageTally } from '@weir/records';
import { type Part, type PartBlock, rangesOf } from './parts.ts';
import type { OpenBlock, RowBlocks, RowOwner } from './row-blocks.ts';

/** Rows of one tenant that lie beside each other in a block and go to weir.dlq as one letter. */
export interface DeadRows {
  readonly table: TableName;
  readonly tenant: string;
  readonly signal: SignalKind;
  readonly rows: number;
  /** Where the record stands, and place of the first row among all rows of it. */
  readonly partition: number;
  readonly offset: number;
  readonly index: number;
  /** One zstd frame of one Native block. */
  readonly frame: Buffer;
  /** Of receipt, whole minutes since the epoch. */
  readonly minute: number;
}

const MINUTES_PER_DAY = 1_440;

/**
 * The rows [from, to) of a part as letters: the same for whoever does it again, as they follow from the part alone. A
 * block that cannot be read is one letter and nobody's.
 */
export function* deadRowsOf(
  part: Part,
  from: number,
  to: number,
  blocks: Pick<RowBlocks, 'open'>,
): Generator<DeadRows> {
  for (const { block, from: first, to: end } of rangesOf(part, from, to)) {
    const open = blocks.open(part.table, block);
    if (open === undefined) yield unreadable(part.table, block);
    else yield* runs(part.table, block, open, first, end);
  }
}

function unreadable(table: TableName, { partition, offset, startInRecord, frame, rows, meta }: PartBlock): DeadRows {
  const signal = signalOf(table) ?? 'traces';
  const minute = minuteOf(meta.oldestReceivedAtNs);
  return { table, tenant: '', signal, rows, partition, offset, index: startInRecord, frame, minute };
}

function* runs(table: TableName, block: PartBlock, open: OpenBlock, from: number, to: number): Generator<DeadRows> {
  for (let first = from; first < to; ) {
    const owner = open.ownerOf(first);
    let end = first + 1;
    while (end < to && isSame(owner, open.ownerOf(end))) end++;
    yield {
      table,
      tenant: owner.tenant,
      signal: owner.signal,
      rows: end - first,
      partition: block.partition,
      offset: block.offset,
      index: block.startInRecord + first,
      frame: first === 0 && end === block.rows ? block.frame : open.slice(first, end),
      minute: minuteOn(block, owner.day),
    };
    first = end;
  }
}

function isSame(a: RowOwner, b: RowOwner): boolean {
  return a.tenant === b.tenant && a.signal === b.signal && a.day === b.day;
}

/** A row knows its day; the record knows the time of its oldest export, which is of the same minute but for an edge's pause. */
function minuteOn({ meta }: PartBlock, day: number): number {
  const minute = minuteOf(meta.oldestReceivedAtNs);
  return Math.floor(minute / MINUTES_PER_DAY) === day ? minute : day * MINUTES_PER_DAY;
}

/** What the books say wrongly, as rows that put it right: these were stored, and are dead letters. */
export class Corrections {
  readonly usage = new UsageTally();

  add({ table, tenant, signal, rows, minute }: DeadRows): void {
    // The books are no items, and what nobody can read is nobody's.
    if (signalOf(table) === undefined || tenant === '') return;
    const which = { tenant, signal, minute, bytes: 0 };
    this.usage.add({ ...which, outcome: 'stored', reason: '', items: -rows });
    this.usage.add({ ...which, outcome: 'dead_lettered', reason: 'rows_rejected', items: rows });
  }
}
