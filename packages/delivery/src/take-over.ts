import { type Clock, DependencyError, faultPoint } from '@weir/pipeline';
import { decodeRowsMeta, type EdgeMark, encodeRowsMeta } from '@weir/records';
import type { CommitMetadata } from './commit-metadata.ts';
import type { Log } from './log.ts';
import { lostEndError } from './log-end.ts';
import { INITIAL_STATE, type ReaderState, RowsReader } from './rows-reader.ts';

/** What a new owner of a rows partition starts from. */
export interface Ownership {
  readonly epoch: number;
  readonly owner: string;
  /** Last raw offset whose rows are in the log; -1 where the log says nothing. */
  readonly rawLast: number;
  readonly marks: readonly EdgeMark[];
  /** Offset of the fence: the newest record that the owner knows. */
  readonly fenceOffset: number;
  /** The newest rows record that counts, as a commit says it; null where none was read. */
  readonly last: CommitMetadata | null;
}

export interface RowsPartition {
  readonly log: Log;
  readonly clock: Clock;
  readonly topic: string;
  readonly partition: number;
  /** Told of each try that failed and is made again. */
  readonly failed?: (retryInMs: number) => void;
}

const READ_BYTES_MAX = 8 * 1024 ** 2;
const READ_WAIT_MS = 1_000;
const RETRY_DELAY_MS = 100;

/** Where reading stands: the rule's state after the records before `offset`, and the marks of the last one taken. */
interface Position {
  readonly reader: RowsReader;
  offset: number;
  marks: readonly EdgeMark[];
  /** Where the last record stands that was taken, and the state before it: what a commit says. */
  last: CommitMetadata | null;
}

/**
 * Takes a rows partition over: reads the log's state, appends a fence of an epoch above all before, and reads back up to it. Where
 * another fence came first the race is lost and it starts again. Returns once its own fence is the newest.
 *
 * @param owner random for each take-over, 16 hex digits
 * @param checkpoint from the raw group's commit: reading starts at its mark with its state; null reads all that is retained
 * @throws the signal's reason; DependencyError `rejected` where the topic does not exist, or ends before the checkpoint's mark
 */
export async function takeOver(
  rows: RowsPartition,
  owner: string,
  checkpoint: CommitMetadata | null,
  signal: AbortSignal,
): Promise<Ownership> {
  for (;;) {
    signal.throwIfAborted();
    try {
      const bounds = await rows.log.bounds(rows.topic, rows.partition, signal);
      const recorded = (checkpoint?.mark ?? -1) + 1;
      // A fence there would be the first of those that stand where others stood.
      if (recorded > bounds.end) throw lostEndError(rows.topic, rows.partition, { end: bounds.end, recorded });
      const position = startPosition(checkpoint, bounds.start);
      await readUpTo(rows, position, bounds.end, signal);
      // The commit's epoch counts also where the log lacks what it was committed with.
      const epoch = position.reader.epochAbove(Math.max(bounds.end, checkpoint?.state.epoch ?? 0));
      const meta = encodeRowsMeta({ kind: 'fence', epoch, owner });
      const fenceOffset = await rows.log.append(rows.topic, rows.partition, [{ key: null, value: null, meta }], signal);
      faultPoint('normalizer.after_fence');
      await readUpTo(rows, position, fenceOffset + 1, signal);
      const { state } = position.reader;
      if (isOwned(state, epoch, owner)) {
        const { marks, last } = position;
        return { epoch, owner, rawLast: state.rawLast, marks, fenceOffset, last };
      }
    } catch (error) {
      if (!(error instanceof DependencyError) || !error.retryable) throw error;
      rows.failed?.(RETRY_DELAY_MS);
    }
    await rows.clock.sleep(RETRY_DELAY_MS, signal);
  }
}

/**
 * What the log's records say at its end, where the next owner would go on, and the checkpoint from which that can be read again; null
 * where no record counts. Nothing is written.
 */
export async function readToEnd(
  rows: RowsPartition,
  checkpoint: CommitMetadata | null,
  signal: AbortSignal,
): Promise<{ readonly state: ReaderState; readonly last: CommitMetadata | null }> {
  const { start, end } = await rows.log.bounds(rows.topic, rows.partition, signal);
  const position = startPosition(checkpoint, start);
  await readUpTo(rows, position, end, signal);
  return { state: position.reader.state, last: position.last };
}

export function isOwned(state: ReaderState, epoch: number, owner: string): boolean {
  return state.epoch === epoch && state.owner === owner;
}

function startPosition(checkpoint: CommitMetadata | null, start: number): Position {
  const mark = checkpoint?.mark ?? null;
  if (checkpoint === null || mark === null) {
    return { reader: new RowsReader(INITIAL_STATE), offset: start, marks: [], last: null };
  }
  return { reader: new RowsReader(checkpoint.state), offset: Math.max(start, mark), marks: [], last: null };
}

/** Reads by the rule until `end` (exclusive). */
async function readUpTo(rows: RowsPartition, position: Position, end: number, signal: AbortSignal): Promise<void> {
  while (position.offset < end) {
    const options = { maxBytes: READ_BYTES_MAX, maxWaitMs: READ_WAIT_MS };
    const page = await rows.log.read(rows.topic, rows.partition, position.offset, options, signal);
    for (const record of page.records) {
      if (record.offset >= end) break;
      const decoded = decodeRowsMeta(record.meta, record.value?.length ?? 0);
      // What cannot be read was not written by an owner; the sink dead-letters it.
      if (!decoded.ok) continue;
      const { state } = position.reader;
      if (!position.reader.takes(decoded.value) || decoded.value.kind !== 'rows') continue;
      position.marks = decoded.value.marks;
      position.last = { mark: record.offset, state };
    }
    position.offset = Math.max(position.offset, Math.min(page.nextOffset, end));
    // A long log takes long to take over: each page is a sign of life.
    rows.clock.nowMs();
  }
}

/** Whether the records [from, to) leave `epoch` and `owner` the newest: the gap rule. */
export async function stillOwned(
  rows: RowsPartition,
  state: ReaderState,
  from: number,
  to: number,
  signal: AbortSignal,
): Promise<boolean> {
  const position: Position = { reader: new RowsReader(state), offset: from, marks: [], last: null };
  await readUpTo(rows, position, to, signal);
  return isOwned(position.reader.state, state.epoch, state.owner);
}
