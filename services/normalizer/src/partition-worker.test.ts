import { encodeCommitMetadata, type Log, type LogPage, type LogRecord, type Membership } from '@weir/delivery';
import { DependencyError } from '@weir/pipeline';
import { encodeRowsMeta } from '@weir/records';
import { FakeClock } from '@weir/testkit';
import { expect, test } from 'vitest';
import { PartitionWorker, type WorkerParts } from './partition-worker.ts';

const RAW = 'weir.raw.v1';
const ROWS = 'weir.rows.v1';
const RECORD_BYTES = 1_000;
const RAW_END = 50;
const DOWN = new DependencyError('kafka', 'unavailable', 'down', { retryable: true });
const { signal: never } = new AbortController();

/** A raw log of unreadable records, and a rows log that is down. */
function setUp() {
  const clock = new FakeClock();
  const log: Log = {
    bounds: async (topic) => {
      if (topic === ROWS) throw DOWN;
      return { start: 10, end: RAW_END };
    },
    read: async (topic, _partition, offset): Promise<LogPage> => {
      if (topic === ROWS) throw DOWN;
      const value = Buffer.alloc(RECORD_BYTES);
      const records = [{ offset, timestampMs: 0, key: null, value, meta: null }];
      return { records, nextOffset: offset + 1, startOffset: 10, endOffset: RAW_END };
    },
    append: async () => {
      throw DOWN;
    },
  };
  const membership: Membership = {
    join: async () => undefined,
    leave: async () => undefined,
    committed: async () => ({ offset: 20, metadata: '' }),
    commit: async () => undefined,
  };
  const parts: WorkerParts = {
    log,
    membership,
    normalizer: { run: () => expect.unreachable() },
    unknownTenants: { settle: async () => undefined },
    newOwner: () => '0123456789abcdef',
    clock,
    track: 'v1',
    rawTopic: RAW,
    rowsTopic: ROWS,
    onTakeOver: () => undefined,
    onLost: () => undefined,
    onTranscoded: () => undefined,
    onProduced: () => undefined,
  };
  return { clock, parts };
}

test('knows its backlog before it has taken the rows log over, which may take long', async () => {
  const { clock, parts } = setUp();
  const worker = new PartitionWorker(0, parts);
  const session = new AbortController();
  const running = worker.run(session.signal, never).catch(() => undefined);
  await clock.advance(1_000);
  expect(worker.progress).toMatchObject({ doneTo: 20, endOffset: RAW_END, recordBytes: RECORD_BYTES });
  session.abort();
  await running;
});

test('begins with what the worker that failed knew of the backlog', () => {
  const { clock, parts } = setUp();
  const former = { doneTo: 30, endOffset: 40, lostTo: 20, endSeenMs: -3, recordBytes: 77, movedMs: -2, aliveMs: -1 };
  expect(new PartitionWorker(0, parts, former).progress).toEqual({ ...former, aliveMs: clock.nowMs() });
});

test('tells of each try to take the rows log over that fails', async () => {
  const { clock, parts } = setUp();
  const tries: number[] = [];
  const worker = new PartitionWorker(0, { ...parts, onFailed: (retryInMs) => tries.push(retryInMs) });
  const session = new AbortController();
  const running = worker.run(session.signal, never).catch(() => undefined);
  await clock.advance(250);
  expect(tries).toEqual([100, 100, 100]);
  session.abort();
  await running;
});

test.each([
  ['what it had committed', { offset: 20, metadata: '' }, [[0, 10]]],
  ['nothing, as nobody had read', null, []],
])(
  'tells once of exports that Kafka let go of before they were read, behind %s',
  async (_what, committed, expected) => {
    const { clock, parts } = setUp();
    const lost: [number, number][] = [];
    const told: WorkerParts = {
      ...parts,
      log: logThatTakes(parts.log),
      membership: { ...parts.membership, committed: async () => committed },
      onLost: (partition, records) => lost.push([partition, records]),
    };
    let worker: PartitionWorker | undefined;
    for (let time = 0; time < 2; time++) {
      worker = new PartitionWorker(0, told, worker?.progress);
      const session = new AbortController();
      const running = worker.run(session.signal, never).catch(() => undefined);
      await clock.advance(100);
      session.abort();
      await running;
    }
    expect(lost).toEqual(expected);
  },
);

test('a raw log that ends before what was committed of it is refused: what comes there would be passed over', async () => {
  const { parts } = setUp();
  const committed = { offset: RAW_END + 1, metadata: '' };
  const membership: Membership = { ...parts.membership, committed: async () => committed };
  const worker = new PartitionWorker(0, { ...parts, log: logThatTakes(parts.log), membership });
  await expect(worker.run(never, never)).rejects.toThrow(
    `${RAW}/0 ends at ${RAW_END}, but reached ${RAW_END + 1}: acknowledged records are lost`,
  );
});

test('a partition that comes to a normalizer that stops is left as it is: the next one tells what Kafka let go of', async () => {
  const { parts } = setUp();
  const commits: unknown[] = [];
  const metadata = encodeCommitMetadata({ mark: 3, state: { epoch: 1, owner: '0123456789abcdef', rawLast: 19 } });
  const membership: Membership = {
    ...parts.membership,
    committed: async () => ({ offset: 20, metadata }),
    commit: async (positions) => void commits.push(...positions),
  };
  const worker = new PartitionWorker(0, { ...parts, log: logThatTakes(parts.log), membership });
  await worker.run(never, AbortSignal.abort());
  expect(commits).toEqual([]);
});

test.each([
  ['what the former owner had done and not committed is committed, though nothing comes any more', null, 40, 1],
  ['of a position that was put elsewhere by hand nothing is said', { offset: 45, metadata: '' }, 45, null],
])('%s', async (_what, committed, offset, mark) => {
  const { parts } = setUp();
  const log = logThatTakes(parts.log);
  const owner = 'f'.repeat(16);
  await log.append(
    ROWS,
    0,
    [{ key: null, value: null, meta: encodeRowsMeta({ kind: 'fence', epoch: 1, owner }) }],
    never,
  );
  const content = { rawFirst: 30, rawLast: 39, oldestReceivedAtNs: 0n, sections: [], marks: [] };
  const meta = encodeRowsMeta({ kind: 'rows', epoch: 1, owner, ...content });
  await log.append(ROWS, 0, [{ key: null, value: Buffer.alloc(0), meta }], never);
  const commits: [number, { offset: number; metadata: string }][] = [];
  const membership: Membership = {
    ...parts.membership,
    committed: async () => committed,
    commit: async (positions) => void commits.push(...positions),
  };
  const draining = new AbortController();
  const onTakeOver = () => draining.abort();
  await new PartitionWorker(0, { ...parts, log, membership, onTakeOver }).run(never, draining.signal);
  // The record stands at 1, behind a fence; before it nothing was done.
  const state = mark === null ? { epoch: 0, owner: '', rawLast: -1 } : { epoch: 1, owner, rawLast: -1 };
  expect(commits).toEqual([[0, { offset, metadata: encodeCommitMetadata({ mark, state }) }]]);
});

/** Its rows log takes what is appended, and its raw log begins behind what was committed. */
function logThatTakes(down: Log): Log {
  const rows: LogRecord[] = [];
  return {
    bounds: async (topic) => (topic === ROWS ? { start: 0, end: rows.length } : { start: 30, end: RAW_END }),
    read: async (topic, partition, offset, options, signal) => {
      if (topic !== ROWS) return down.read(topic, partition, offset, options, signal);
      return { records: rows.slice(offset), nextOffset: rows.length, startOffset: 0, endOffset: rows.length };
    },
    append: async (_topic, _partition, records) => {
      const first = rows.length;
      for (const record of records) rows.push({ ...record, offset: rows.length, timestampMs: 0 });
      return first;
    },
  };
}
