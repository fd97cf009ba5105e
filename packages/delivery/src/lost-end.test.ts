import { DependencyError } from '@weir/pipeline';
import { decodeNote, decodeRowsMeta, isNote } from '@weir/records';
import { FakeClock } from '@weir/testkit';
import { expect, test } from 'vitest';
import { type CommitMetadata, decodeCommitMetadata, encodeCommitMetadata } from './commit-metadata.ts';
import { sinkStart } from './cut-ledger.ts';
import type { Committed, Log, LogRecord, NewRecord } from './log.ts';
import { fillLostEnd, findLostEnd, reaching, recutBroken, type SourceAndRows } from './lost-end.ts';
import { sinkPosition } from './progress-log.ts';
import { RowsReader } from './rows-reader.ts';
import { RowsWriter } from './rows-writer.ts';
import { takeOver } from './take-over.ts';

const { signal } = new AbortController();
const EDGE = 'e'.repeat(16);
const FIRST = 'a'.repeat(16);
const SECOND = 'b'.repeat(16);

/** Two logs in memory, whose ends can be lost. */
class Logs implements Log {
  readonly raw: LogRecord[] = [];
  readonly rows: LogRecord[] = [];
  /** Kafka let go of what stood before. */
  readonly starts = { raw: 0, rows: 0 };
  /** Offsets that reads began at. */
  readonly reads: number[] = [];
  /** Of so many appends, once they are made, the answer is lost. */
  answersLost = 0;

  async bounds(topic: string) {
    return { start: topic === 'raw' ? this.starts.raw : this.starts.rows, end: this.#of(topic).length };
  }

  async read(topic: string, _partition: number, offset: number) {
    this.reads.push(offset);
    const records = this.#of(topic).slice(offset, offset + 3);
    const { start: startOffset, end: endOffset } = await this.bounds(topic);
    return { records, nextOffset: offset + records.length, startOffset, endOffset };
  }

  async append(topic: string, _partition: number, records: readonly NewRecord[]) {
    const log = this.#of(topic);
    const first = log.length;
    for (const record of records) log.push({ ...record, offset: log.length, timestampMs: 0 });
    if (this.answersLost-- > 0) throw new DependencyError('kafka', 'timeout', 'no answer', { retryable: true });
    return first;
  }

  #of(topic: string): LogRecord[] {
    return topic === 'raw' ? this.raw : this.rows;
  }
}

const export_: NewRecord = { key: null, value: Buffer.from('export'), meta: null };
const CONTENT = { oldestReceivedAtNs: 0n, sections: [], marks: [] };

/** Six exports, each a rows record of its own behind a fence: offsets 0 to 5 of the one, 1 to 6 of the other. */
async function written() {
  const logs = new Logs();
  const clock = new FakeClock();
  for (let at = 0; at < 6; at++) await logs.append('raw', 0, [export_]);
  const rows = { log: logs, clock, topic: 'rows', partition: 0 };
  const writer = new RowsWriter(rows, await takeOver(rows, FIRST, null, signal));
  for (let at = 0; at < 6; at++)
    await writer.append({ ...CONTENT, rawFirst: at, rawLast: at }, Buffer.alloc(0), signal);
  const places: SourceAndRows = { log: logs, clock, rawTopic: 'raw', rowsTopic: 'rows', partition: 0 };
  return { logs, places, clock };
}

/** A normalizer that has written the rows record at `mark` says so. */
const normalized = (mark: number): Committed => ({
  offset: mark,
  metadata: encodeCommitMetadata({ mark, state: { epoch: 1, owner: FIRST, rawLast: mark - 2 } }),
});

/** The last rows record where four are left, in a commit: it stands at 3, and is of the third export. */
const LAST = encodeCommitMetadata({ mark: 3, state: { epoch: 1, owner: FIRST, rawLast: 1 } });

/** A sink that has stored all before `offset` says so, and that it has begun a cut up to `mark`. */
const stored = (offset: number, mark: number | null = null): Committed => ({
  offset,
  metadata: encodeCommitMetadata({ mark, state: { epoch: 1, owner: FIRST, rawLast: offset - 2 } }),
});

const never = () => Promise.reject(new Error('nothing of the rows is gone'));

test('logs that reach as far as was recorded are left as they are', async () => {
  const { logs, places } = await written();
  for (const recorded of [
    { raw: null, rows: null },
    { raw: normalized(6), rows: stored(7) },
    { raw: normalized(3), rows: stored(2, 6) },
  ]) {
    const lost = await findLostEnd(places, recorded, signal);
    expect(lost).toEqual({
      raw: { end: 6, recorded: 6 },
      rows: { end: 7, recorded: expect.any(Number) },
      restart: undefined,
    });
    expect(lost.rows.recorded).toBeLessThanOrEqual(7);
    await fillLostEnd(places, lost, EDGE, never, signal);
  }
  expect([logs.raw.length, logs.rows.length]).toEqual([6, 7]);
});

test('logs that grow while they are looked at are not short', async () => {
  const { logs, places, clock } = await written();
  const rows = { log: logs, clock, topic: 'rows', partition: 0 };
  const ownership = { epoch: 1, owner: FIRST, rawLast: 5, marks: [], fenceOffset: 6, last: null };
  const writer = new RowsWriter(rows, ownership);
  let raw = 6;
  const growing: Log = {
    append: (topic, partition, records) => logs.append(topic, partition, records),
    bounds: async (topic) => {
      const bounds = await logs.bounds(topic);
      await logs.append('raw', 0, [export_]);
      await writer.append({ ...CONTENT, rawFirst: raw, rawLast: raw++ }, Buffer.alloc(0), signal);
      return bounds;
    },
    read: (topic, partition, offset) => logs.read(topic, partition, offset),
  };
  const lost = await findLostEnd({ ...places, log: growing }, { raw: normalized(5), rows: stored(7) }, signal);
  expect(lost.raw.recorded).toBeLessThanOrEqual(lost.raw.end);
  expect([lost.rows, lost.restart]).toEqual([{ end: 7, recorded: 7 }, undefined]);
});

test('offsets that were given are not given again, and what fills them says nothing', async () => {
  const { logs, places, clock } = await written();
  logs.raw.length = 3;
  logs.rows.length = 4;
  const recorded = { raw: normalized(5), rows: stored(7) };
  const lost = await findLostEnd(places, recorded, signal);
  // By the sinks all six were stored, whatever the normalizers have committed.
  expect(lost).toEqual({
    raw: { end: 3, recorded: 6 },
    rows: { end: 4, recorded: 7 },
    restart: { offset: 6, metadata: LAST },
  });
  logs.answersLost = 2;
  const committed: Committed[] = [];
  const place = async (from: Committed) => void committed.push(from);
  const filling = fillLostEnd(places, lost, EDGE, place, signal);
  for (let failed = 0; failed < 2; failed++) await clock.advance(1_000);
  await filling;
  expect(committed).toEqual([lost.restart]);
  expect([logs.raw.length, logs.rows.length]).toEqual([6, 7]);
  expect(logs.raw.slice(3).every(({ meta }) => isNote(meta))).toBe(true);
  expect(logs.raw.slice(3).map(({ meta, value }) => decodeNote(meta, value))).toMatchObject(
    [4, 5, 6].map((seq) => ({ ok: true, value: { edge: EDGE, seq, settled: [], doubtful: [] } })),
  );
  expect(await findLostEnd(places, recorded, signal)).toEqual({
    ...{ raw: { end: 6, recorded: 6 }, rows: { end: 7, recorded: 7 } },
    restart: undefined,
  });
});

test('the next owner’s records count for who had read further than the log reached', async () => {
  const { logs, places } = await written();
  logs.raw.length = 2;
  logs.rows.length = 1;
  const recorded = { raw: normalized(6), rows: stored(7) };
  const lost = await findLostEnd(places, recorded, signal);
  expect(await fillLostEnd(places, lost, EDGE, async () => undefined, signal)).toBe(0);
  const rows = { ...places, topic: 'rows' };
  const checkpoint = { mark: 6, state: { epoch: 1, owner: FIRST, rawLast: 4 } };
  const ownership = await takeOver(rows, SECOND, checkpoint, signal);
  const offset = await new RowsWriter(rows, ownership).append(
    { ...CONTENT, rawFirst: 6, rawLast: 6 },
    Buffer.alloc(0),
    signal,
  );
  const { offset: stood, state } = sinkStart(recorded.rows, 0);
  const sink = new RowsReader(state);
  const taken = logs.rows.slice(stood).map(({ meta, offset: at }) => {
    const decoded = decodeRowsMeta(meta, 0);
    return decoded.ok && sink.takes(decoded.value) ? at : undefined;
  });
  expect(taken.filter((at) => at !== undefined)).toEqual([offset]);
});

test.each([
  ['nothing of it was stored', null, 3],
  ['a part of it was stored', stored(5), 4],
  ['a cut of it was begun', stored(3, 6), 3],
])('rows that are gone are made again of raw records that are not, where %s', async (_what, rows, restart) => {
  const { logs, places } = await written();
  logs.rows.length = 4;
  const lost = await findLostEnd(places, { raw: normalized(6), rows }, signal);
  expect(lost).toEqual({
    raw: { end: 6, recorded: 6 },
    rows: { end: 4, recorded: 7 },
    restart: { offset: restart, metadata: LAST },
  });
  const committed: Committed[] = [];
  const place = async (to: Committed) => void committed.push(to);
  await fillLostEnd(places, lost, EDGE, place, signal);
  expect(committed).toEqual([lost.restart]);
  // Whoever takes over finds nothing of it from there on.
  const checkpoint = decodeCommitMetadata(LAST);
  const ownership = await takeOver({ ...places, topic: 'rows' }, SECOND, checkpoint, signal);
  expect(ownership.rawLast).toBe(2);
});

test('who is cut off while it fills finds the same again', async () => {
  const { logs, places } = await written();
  logs.raw.length = 5;
  logs.rows.length = 4;
  const recorded = { raw: normalized(6), rows: stored(4) };
  const lost = await findLostEnd(places, recorded, signal);
  const killed = () => Promise.reject(new Error('killed'));
  await expect(fillLostEnd(places, lost, EDGE, killed, signal)).rejects.toThrow('killed');
  const found = await findLostEnd(places, recorded, signal);
  expect(found).toEqual({ ...lost, raw: { end: 6, recorded: 6 } });
  expect(found.restart?.offset).toBe(3);
});

test.each<[string, { raw: number; rows: number }, { raw: Committed; rows: Committed | null }]>([
  ['rows that no sink had read', { raw: 0, rows: 7 }, { raw: normalized(6), rows: null }],
  ['exports that no normalizer had read', { raw: 6, rows: 0 }, { raw: { ...normalized(3), offset: 6 }, rows: null }],
])('what Kafka let go of is no end that was lost: %s', async (_what, starts, recorded) => {
  const { logs, places } = await written();
  if (starts.raw > 0) logs.rows.length = 4;
  Object.assign(logs.starts, starts);
  const { raw, rows, restart } = await findLostEnd(places, recorded, signal);
  expect(restart).toBeUndefined();
  expect([raw.recorded <= raw.end, rows.recorded <= rows.end]).toEqual([true, true]);
});

test('rows are read from where sinks stand, where what normalizers have committed is gone: not from their start', async () => {
  const { logs, places } = await written();
  logs.rows.length = 5;
  logs.reads.length = 0;
  const lost = await findLostEnd(places, { raw: normalized(6), rows: stored(4) }, signal);
  expect(logs.reads).toEqual([4]);
  expect(lost.restart?.offset).toBe(4);
});

test('where all of these are gone, too, rows are read from where sinks stood before', async () => {
  const { logs, places } = await written();
  logs.rows.length = 4;
  logs.reads.length = 0;
  const earlier = [stored(6), stored(4), stored(3), stored(2)];
  const lost = await findLostEnd(places, { raw: normalized(6), rows: stored(7), earlier }, signal);
  // One record, whose marks are the newest.
  expect([logs.reads, lost.restart]).toEqual([[3], { offset: 6, metadata: LAST }]);
});

test('records of edges that nobody stopped are told of', async () => {
  const { logs, places, clock } = await written();
  logs.raw.length = 2;
  const lost = await findLostEnd(places, { raw: normalized(6), rows: null }, signal);
  await logs.append('raw', 0, [export_]);
  // What was appended and not answered is not theirs.
  logs.answersLost = 1;
  const filling = fillLostEnd(places, lost, EDGE, never, signal);
  await clock.advance(1_000);
  expect(await filling).toBe(1);
});

test('a cut that lacks records gives way to one for each of its partitions, under a token that no cut had', () => {
  const position = (offset: number, what: Partial<CommitMetadata>): Committed => ({
    offset,
    metadata: encodeCommitMetadata({ mark: null, state: { epoch: 1, owner: FIRST, rawLast: 0 }, term: 2, ...what }),
  });
  const refused = new Map([[0, 'ff']]);
  const positions = new Map([
    // Of three partitions, the last of which lacks a record; and one that is no more of it.
    [0, position(5, { mark: 9, members: [1, 2, 3], refused })],
    [1, position(7, { mark: 7, leader: { partition: 0, first: 5 } })],
    [2, position(4, { mark: 8, leader: { partition: 0, first: 5 } })],
    [3, position(6, { mark: null })],
    // Another cut, that is whole.
    [4, position(1, { mark: 2, refused })],
  ]);
  const ends = new Map([20, 20, 8, 2, 20].map((end, partition) => [partition, { end, recorded: end }]));
  const made = recutBroken(positions, ends);
  expect(
    [...made].map(([partition, { offset, metadata }]) => [partition, offset, decodeCommitMetadata(metadata)]),
  ).toEqual(
    [
      [0, 5, 10],
      [1, 7, 8],
      [2, 4, 9],
    ].map(([partition, offset, mark]) => [
      partition,
      offset,
      { mark, state: { epoch: 1, owner: FIRST, rawLast: 0 }, term: 3 },
    ]),
  );
  for (const [partition, recut] of made) expect(sinkPosition(recut, positions.get(partition)!)).toBe(recut);
  // And where this is cut off and done again.
  const again = recutBroken(new Map([...positions, ...made]), ends);
  expect([...again].map(([partition, { metadata }]) => [partition, decodeCommitMetadata(metadata).mark])).toEqual([
    [2, 10],
  ]);
});

test('a cut in place of another is filled up to its end in partitions that lack nothing, too', async () => {
  const { logs, places } = await written();
  const lost = await findLostEnd(places, { raw: normalized(6), rows: stored(5, 6) }, signal);
  const whole = reaching(lost, stored(5, 7));
  expect([lost.rows, whole.rows]).toEqual([
    { end: 7, recorded: 7 },
    { end: 7, recorded: 8 },
  ]);
  await fillLostEnd(places, whole, EDGE, never, signal);
  expect(logs.rows.length).toBe(8);
  expect(reaching(lost, undefined)).toEqual(lost);
});
