import type { Log, LogPage, Membership } from '@weir/delivery';
import { DependencyError } from '@weir/pipeline';
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
  const former = { doneTo: 30, endOffset: 40, endSeenMs: -3, recordBytes: 77, movedMs: -2, aliveMs: -1 };
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
