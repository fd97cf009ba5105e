import {
  type Committed,
  decodeCommitMetadata,
  encodeCommitMetadata,
  INITIAL_STATE,
  type Log,
  type Membership,
  REVISIONS,
} from '@weir/delivery';
import { Breaker, createBacklogReporter } from '@weir/flow';
import { CONTROL_TOPICS } from '@weir/records';
import { FakeClock } from '@weir/testkit';
import { describe, expect, test } from 'vitest';
import { PartitionWorker, type WorkerParts } from './partition-worker.ts';

const TOPIC = 'weir.rows.v1';
const RECORD_BYTES = 1_000;

/** A worker on a log that grows by what the test says, beside a reporter, with an inserter that hangs. */
function setUp(committed: Committed | null = null) {
  const clock = new FakeClock();
  const state = { end: 50 };
  const log: Log = {
    bounds: async (topic) => ({ start: 0, end: topic === CONTROL_TOPICS.progress ? 0 : state.end }),
    read: async (_topic, _partition, offset, { maxWaitMs }, signal) => {
      if (offset >= state.end) await clock.sleep(maxWaitMs, signal);
      const count = Math.min(5, state.end - offset);
      // Unreadable ones serve as well: they wait for weir.dlq.
      const value = Buffer.alloc(RECORD_BYTES);
      const records = Array.from({ length: count }, (_, at) => ({
        offset: offset + at,
        timestampMs: 0,
        key: null,
        value,
        meta: null,
      }));
      return { records, nextOffset: offset + count, startOffset: 0, endOffset: state.end };
    },
    append: async () => 0,
  };
  const membership: Membership = {
    join: async () => undefined,
    leave: async () => undefined,
    committed: async () => committed,
    commit: async () => undefined,
  };
  const parts: WorkerParts = {
    log,
    membership,
    inserter: { insert: (_batch, _ledger, signal) => clock.sleep(1e9, signal), paysApart: () => false },
    clock,
    topic: TOPIC,
    bounds: { ageMsMax: 100, bytesMax: 10 * RECORD_BYTES, rowsMax: 1_000, blockBytesMax: 1e9 },
    revision: REVISIONS.lanes,
    onStored: () => undefined,
    onTakeOver: () => undefined,
    onLost: () => undefined,
  };
  const worker = new PartitionWorker(0, parts);
  const gauge = { set: () => undefined };
  const reporter = createBacklogReporter({
    log,
    topic: TOPIC,
    self: { reporter: 'ab', track: 'v1', role: 'sink' },
    bounds: { bytesMax: 1e9, secondsMax: 60 },
    partitions: { workers: new Map([[0, worker]]) },
    breaker: new Breaker(clock),
    gauges: { backlogBytes: gauge, backlogSeconds: gauge, fill: gauge, breakerOpen: gauge },
    clock,
    onFault: () => undefined,
  });
  return { clock, state, parts, worker, reporter };
}

describe('sees its backlog grow while ClickHouse hangs', () => {
  test.each<[string, Committed | null]>([
    ['and its buffers are full', null],
    [
      'and a recorded cut is inserted again',
      { offset: 0, metadata: encodeCommitMetadata({ mark: 4, state: INITIAL_STATE }) },
    ],
  ])('%s', async (_when, committed) => {
    const { clock, state, worker, reporter } = setUp(committed);
    await reporter.start(new AbortController().signal);
    const session = new AbortController();
    const running = worker.run(session.signal, new AbortController().signal).catch(() => undefined);
    await clock.advance(5_000);
    expect(worker.progress.endOffset).toBe(50);
    state.end = 5_000;
    await clock.advance(2_500);
    expect([worker.progress.doneTo, worker.progress.endOffset]).toEqual([0, 5_000]);
    session.abort();
    await running;
    await reporter.stop(session.signal);
  });
});

test('begins with what the worker that failed knew of the backlog, and with nothing of what it held', () => {
  const { clock, parts } = setUp();
  const known = { doneTo: 30, endOffset: 40, lostTo: 20, endSeenMs: -3, recordBytes: 77, movedMs: -2 };
  const former = { ...known, bufferedBytes: 9, insertingSinceMs: -2, aliveMs: -1 };
  const fresh = { bufferedBytes: 0, insertingSinceMs: undefined, aliveMs: clock.nowMs() };
  expect(new PartitionWorker(0, parts, former).progress).toEqual({ ...known, ...fresh });
});

test('tells once of records that Kafka let go of before they were stored', async () => {
  const committed = { offset: 5, metadata: encodeCommitMetadata({ mark: null, state: INITIAL_STATE }) };
  const { clock, parts } = setUp(committed);
  const lost: [number, number][] = [];
  const log: Log = { ...parts.log, bounds: async () => ({ start: 20, end: 50 }) };
  const told: WorkerParts = { ...parts, log, onLost: (partition, records) => lost.push([partition, records]) };
  let worker: PartitionWorker | undefined;
  for (let time = 0; time < 2; time++) {
    worker = new PartitionWorker(0, told, worker?.progress);
    const session = new AbortController();
    const running = worker.run(session.signal, new AbortController().signal).catch(() => undefined);
    await clock.advance(100);
    session.abort();
    await running;
  }
  expect(lost).toEqual([[0, 15]]);
});

describe('a cut is made again by the rule by which it was recorded', () => {
  const apart = { mark: 4, state: INITIAL_STATE, apart: true };
  test.each<[string, number, Committed | null, boolean[]]>([
    ['lanes apart', REVISIONS.first, { offset: 0, metadata: encodeCommitMetadata(apart) }, [true, false]],
    [
      'whole',
      REVISIONS.lanes,
      { offset: 0, metadata: encodeCommitMetadata({ ...apart, apart: false }) },
      [false, true],
    ],
    ['none', REVISIONS.lanes, null, [true, true]],
    ['none, beside a sink from before lanes', REVISIONS.first, null, [false, false]],
  ])('%s', async (_what, revision, committed, expected) => {
    const { clock, state, parts } = setUp(committed);
    state.end = 10;
    const recorded: boolean[] = [];
    const inserted: boolean[] = [];
    const membership: Membership = {
      ...parts.membership,
      commit: async (_partition, { metadata }) => {
        const { mark, apart: said = false } = decodeCommitMetadata(metadata);
        if (mark !== null) recorded.push(said);
      },
    };
    const inserter: WorkerParts['inserter'] = {
      insert: async (batch) => void inserted.push(batch.apart),
      paysApart: () => true,
    };
    const bounds = { ...parts.bounds, bytesMax: 5 * RECORD_BYTES };
    const worker = new PartitionWorker(0, { ...parts, membership, inserter, bounds, revision });
    const session = new AbortController();
    const running = worker.run(session.signal, new AbortController().signal).catch(() => undefined);
    await clock.advance(5_000);
    expect(worker.progress.doneTo).toBe(10);
    expect([inserted, recorded]).toEqual([expected, expected]);
    session.abort();
    await running;
  });
});
