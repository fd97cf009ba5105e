import { DependencyError } from '@weir/pipeline';
import { decodeNote, encodeNote, encodeRowsMeta, isNote } from '@weir/records';
import {
  type CommitMetadata,
  decodeCommitMetadata,
  encodeCommitMetadata,
  isCommitMetadata,
} from './commit-metadata.ts';
import type { Committed, NewRecord, Positions } from './log.ts';
import type { LogEnd } from './log-end.ts';
import { INITIAL_STATE } from './rows-reader.ts';
import { type RowsPartition, readToEnd } from './take-over.ts';

/** A rows partition, and the raw partition that it is made of. */
export interface SourceAndRows extends Omit<RowsPartition, 'topic'> {
  readonly rawTopic: string;
  readonly rowsTopic: string;
}

/** What was recorded of both beside the logs themselves. */
export interface RecordedPositions {
  /** The normalizers' position in the raw partition. */
  readonly raw: Committed | null;
  /** The sinks' position in the rows partition, by their group and weir.progress together. */
  readonly rows: Committed | null;
  /** Where the sinks stood before, as far as that is known, the furthest first. */
  readonly earlier?: readonly Committed[];
}

/** What a Kafka that lost acknowledged records left of a partition. */
export interface LostEnd {
  readonly raw: LogEnd;
  readonly rows: LogEnd;
  /**
   * Where normalizers go on: behind the raw records whose rows are left, or were stored. What they had committed may be ahead of it, as the
   * rows are gone, or behind. Undefined where no rows are gone.
   */
  readonly restart: Committed | undefined;
}

/** More records than this are no end that was lost in a power failure: the topic is another one. */
export const LOST_RECORDS_MAX = 10_000_000;

const NOTHING: CommitMetadata = { mark: null, state: INITIAL_STATE };
const READ = { maxBytes: 4 * 1024 ** 2, maxWaitMs: 1_000 };
const RECORDS_OF_APPEND = 1_000;
const ATTEMPTS_MAX = 10;
const RETRY_DELAY_MS = 500;
const NOBODY = '0'.repeat(16);

/**
 * Looks whether a raw partition and its rows partition reach as far as was recorded of them. Positions, epochs, source ranges and
 * insert tokens all rest on offsets that are given once: where a broker lost the end of a log, what is appended next gets offsets
 * that count as passed, and would be passed over in silence.
 *
 * @throws DependencyError; the signal's reason
 */
export async function findLostEnd(
  { rawTopic, rowsTopic, ...places }: SourceAndRows,
  recorded: RecordedPositions,
  signal: AbortSignal,
): Promise<LostEnd> {
  const { log, partition } = places;
  const checkpoint = recorded.raw === null ? NOTHING : decodeCommitMetadata(recorded.raw.metadata);
  const stored = recorded.rows === null ? NOTHING : decodeCommitMetadata(recorded.rows.metadata);
  const rows = await log.bounds(rowsTopic, partition, signal);
  const starts = startsOf(checkpoint, recorded, rows.end);
  const { state, last } = await readRows({ ...places, topic: rowsTopic }, starts, signal);
  // At last: beside normalizers at work the rows would tell of raw records that were not there before.
  const raw = await log.bounds(rawTopic, partition, signal);
  const rowsRecorded = Math.max(
    recorded.rows?.offset ?? 0,
    ...[stored, checkpoint].map(({ mark }) => (mark ?? -1) + 1),
  );
  const taken = Math.max(state.rawLast, stored.state.rawLast) + 1;
  const rawRecorded = Math.max(recorded.raw?.offset ?? 0, taken);
  // What normalizers commit is in the rows log. Nothing can be said of what Kafka has let go of, of where they were when it let go
  // of raw records, and of what an operator's hand does.
  const isThere = checkpoint.mark !== null && checkpoint.mark >= rows.start;
  const committed = isThere && recorded.raw!.offset > raw.start ? recorded.raw!.offset : 0;
  return {
    raw: { end: raw.end, recorded: rawRecorded },
    rows: { end: rows.end, recorded: rowsRecorded },
    restart:
      rowsRecorded > rows.end || committed > taken
        ? { offset: taken, metadata: last === null ? '' : encodeCommitMetadata(last) }
        : undefined,
  };
}

/**
 * From where the rows log can be read to know its state, one after another. What normalizers have committed is of a record that may be gone;
 * what sinks had recorded before is of others, near the end as well. At last all that is retained.
 */
function startsOf(
  checkpoint: CommitMetadata,
  { rows, earlier = [] }: RecordedPositions,
  end: number,
): CommitMetadata[] {
  if (checkpoint.mark !== null && checkpoint.mark < end) return [checkpoint];
  const starts = [...(rows === null ? [] : [rows]), ...earlier]
    .filter(({ offset, metadata }) => offset < end && isCommitMetadata(metadata))
    .map(({ offset, metadata }) => ({ mark: offset, state: decodeCommitMetadata(metadata).state }));
  return [...starts, NOTHING];
}

/** Reads from the first of these behind which a record counts: without one it is not known what the edges had sent. */
async function readRows(rows: RowsPartition, starts: readonly CommitMetadata[], signal: AbortSignal) {
  let found = await readToEnd(rows, starts[0]!, signal);
  for (const from of starts.slice(1)) {
    if (found.last !== null) break;
    found = await readToEnd(rows, from, signal);
  }
  return found;
}

/**
 * Positions of the sinks with other cuts in place of those that were recorded and lack records. Which rows go in together, and which of
 * them were refused, follows from all that a cut holds: under its tokens what is left would be taken for what was inserted. So each
 * of its partitions has a cut of its own, that ends further on: no cut had these tokens, however often this is done. What had been
 * inserted when everything ended is there twice then.
 *
 * @param stored the sinks' positions, by partition
 * @param rows the ends of the rows partitions, before anything is filled up
 */
export function recutBroken(stored: Positions, rows: ReadonlyMap<number, LogEnd>): Positions {
  const positions = new Map<number, Committed>();
  for (const [partition, position] of stored) {
    const { mark, leader, members = [] } = decodeCommitMetadata(position.metadata);
    if (mark === null || leader !== undefined) continue;
    const isOfIt = (member: number) => {
      const led = decodeCommitMetadata(stored.get(member)?.metadata ?? '').leader;
      return led?.partition === partition && led.first === position.offset;
    };
    const all = [partition, ...members.filter(isOfIt)].map((at) => {
      const { offset, metadata } = stored.get(at)!;
      const { mark: last, state, term = 0 } = decodeCommitMetadata(metadata);
      return { at, offset, last: last ?? offset, state, term };
    });
    if (all.every(({ at, last }) => last < (rows.get(at)?.end ?? 0))) continue;
    for (const { at, offset, last, state, term } of all) {
      // As a later owner's: weir.progress may still tell of the former.
      positions.set(at, { offset, metadata: encodeCommitMetadata({ mark: last + 1, state, term: term + 1 }) });
    }
  }
  return positions;
}

/** What has to be filled up so that a cut made in place of another is there, too. */
export function reaching({ rows, ...lost }: LostEnd, recut: Committed | undefined): LostEnd {
  const { mark = null } = recut === undefined ? {} : decodeCommitMetadata(recut.metadata);
  return { ...lost, rows: { ...rows, recorded: Math.max(rows.recorded, (mark ?? -1) + 1) } };
}

/**
 * Appends records that say nothing until each log reaches as far as was recorded, so that no offset is given twice. Nobody may append
 * to the raw partition before: an export that stands where others stood is passed over.
 *
 * @param edge a random id, 16 hex digits, by which the records of the raw partition go
 * @param restart commits the normalizers' position; their group must have no member
 * @returns how many records of others stand in the raw partition where normalizers pass them over
 * @throws DependencyError; the signal's reason
 */
export async function fillLostEnd(
  places: SourceAndRows,
  lost: LostEnd,
  edge: string,
  restart: (from: Committed) => Promise<void>,
  signal: AbortSignal,
): Promise<number> {
  const note = (at: number) => ({ key: null, ...encodeNote({ edge, seq: at + 1, settled: [], doubtful: [] }) });
  const isAlone = await fill(places, places.rawTopic, lost.raw, note, signal);
  const passedTo = Math.min(lost.raw.recorded, lost.restart?.offset ?? lost.raw.recorded);
  const others = isAlone ? 0 : await countOthers(places, lost.raw.end, passedTo, edge, signal);
  // Before the rows, by whose missing end it is known: whoever is cut off here finds the same again.
  if (lost.restart !== undefined) await restart(lost.restart);
  // A fence of no epoch: it is below all that there were.
  const fence = encodeRowsMeta({ kind: 'fence', epoch: 0, owner: NOBODY });
  await fill(places, places.rowsTopic, lost.rows, () => ({ key: null, value: null, meta: fence }), signal);
  return others;
}

/** Whose records stand in a raw partition that was filled up from `from` to `to` is read: an append may have been made twice. */
async function countOthers(
  { log, rawTopic, partition }: SourceAndRows,
  from: number,
  to: number,
  edge: string,
  signal: AbortSignal,
): Promise<number> {
  let others = 0;
  for (let at = from; at < to; ) {
    const page = await log.read(rawTopic, partition, at, READ, signal);
    for (const { offset, meta, value } of page.records) {
      const note = isNote(meta) ? decodeNote(meta, value) : undefined;
      if (offset < to && !(note?.ok && note.value.edge === edge)) others++;
    }
    at = page.nextOffset;
  }
  return others;
}

/** Returns whether all that stands there now is certain to be of this. */
async function fill(
  { log, clock, partition, failed }: SourceAndRows,
  topic: string,
  { end, recorded }: LogEnd,
  recordAt: (offset: number) => NewRecord,
  signal: AbortSignal,
): Promise<boolean> {
  let failures = 0;
  let isAlone = true;
  for (let next = end; next < recorded; ) {
    const records = Array.from({ length: Math.min(RECORDS_OF_APPEND, recorded - next) }, (_, at) =>
      recordAt(next + at),
    );
    try {
      const at = await log.append(topic, partition, records, signal);
      isAlone &&= at === next;
      next = at + records.length;
    } catch (error) {
      if (!(error instanceof DependencyError) || !error.retryable || ++failures >= ATTEMPTS_MAX) throw error;
      failed?.(RETRY_DELAY_MS);
      isAlone = false;
      await clock.sleep(RETRY_DELAY_MS, signal);
      // It may have been appended: more than enough does no harm.
      next = (await log.bounds(topic, partition, signal)).end;
    }
  }
  return isAlone;
}
