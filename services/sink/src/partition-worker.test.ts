import type { Log, Membership } from '@weir/delivery';
import { CONTROL_TOPICS } from '@weir/records';
import { FakeClock } from '@weir/testkit';
import { expect, test } from 'vitest';
import { PartitionWorker } from './partition-worker.ts';

const RECORD_BYTES = 1_000;

test('sees its backlog grow while ClickHouse hangs and its buffers are full', async () => {
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
    committed: async () => null,
    commit: async () => undefined,
  };
  const worker = new PartitionWorker(0, {
    log,
    membership,
    inserter: { insert: (_batch, _ledger, signal) => clock.sleep(1e9, signal) },
    clock,
    topic: 'weir.rows.v1',
    bounds: { ageMsMax: 100, bytesMax: 10 * RECORD_BYTES, rowsMax: 1_000, blockBytesMax: 1e9 },
    onStored: () => undefined,
    onTakeOver: () => undefined,
  });
  const session = new AbortController();
  const running = worker.run(session.signal, new AbortController().signal).catch(() => undefined);
  await clock.advance(5_000);
  expect(worker.progress.endOffset).toBe(50);
  state.end = 5_000;
  await clock.advance(2_500);
  expect([worker.progress.doneTo, worker.progress.endOffset]).toEqual([0, 5_000]);
  session.abort();
  await running;
});
