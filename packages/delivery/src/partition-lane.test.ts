import { DependencyError } from '@weir/pipeline';
import { decodeRawMeta } from '@weir/records';
import { FakeClock } from '@weir/testkit';
import { expect, test } from 'vitest';
import type { Log, NewRecord } from './log.ts';
import { PartitionLane, type Published, type RawRecord } from './partition-lane.ts';

const DEADLINE_MS = 5_000;

interface Append {
  readonly records: readonly NewRecord[];
  done(): void;
  fail(code: 'unavailable' | 'rejected'): void;
}

function setUp(batchBytesMax = 100) {
  const clock = new FakeClock();
  const appends: Append[] = [];
  const log: Pick<Log, 'append'> = {
    append: (_topic, _partition, records) =>
      new Promise((resolve, reject) => {
        const fail = (code: 'unavailable' | 'rejected') =>
          reject(new DependencyError('kafka', code, 'no', { retryable: code === 'unavailable' }));
        appends.push({ records, done: () => resolve(0), fail });
      }),
  };
  const options = { topic: 't', partition: 0, edge: '0'.repeat(16), batchBytesMax, deadlineMs: DEADLINE_MS };
  const lane = new PartitionLane(log as Log, clock, options);
  const seqs = (index: number) =>
    appends[index]!.records.map(({ meta }) => {
      const decoded = decodeRawMeta(meta);
      return decoded.ok ? decoded.value.seq : -1;
    });
  return { clock, appends, lane, seqs };
}

function record(bytes = 10): RawRecord {
  return {
    value: Buffer.alloc(bytes),
    meta: {
      tenant: 'acme',
      signal: 'traces',
      encoding: 'identity',
      items: 1,
      bytes,
      receivedAtNs: 1n,
      priority: false,
    },
  };
}

/** Outcomes as they come. */
function watch(promises: readonly Promise<Published>[]): (Published | undefined)[] {
  const seen: (Published | undefined)[] = promises.map(() => undefined);
  for (const [i, promise] of promises.entries()) void promise.then((outcome) => (seen[i] = outcome));
  return seen;
}

test('one produce is in flight; what comes meanwhile goes into the next, in order', async () => {
  const { clock, appends, lane, seqs } = setUp();
  const seen = watch([lane.publish(record()), lane.publish(record()), lane.publish(record())]);
  await clock.advance(0);
  expect(appends).toHaveLength(1);
  expect(seqs(0)).toEqual([0]);
  appends[0]!.done();
  await clock.advance(0);
  expect(seqs(1)).toEqual([1, 2]);
  expect(seen).toEqual(['acked', undefined, undefined]);
  appends[1]!.done();
  await clock.advance(0);
  expect(seen).toEqual(['acked', 'acked', 'acked']);
  expect(lane.queuedBytes).toBe(0);
});

test('a produce without an answer is repeated with the same seqs', async () => {
  const { clock, appends, lane, seqs } = setUp();
  const seen = watch([lane.publish(record())]);
  await clock.advance(0);
  appends[0]!.fail('unavailable');
  await clock.advance(100);
  expect(seqs(1)).toEqual(seqs(0));
  appends[1]!.done();
  await clock.advance(0);
  expect(seen).toEqual(['acked']);
});

test('at its deadline what was sent is unknown, and what was not has expired and is never sent', async () => {
  const { clock, appends, lane } = setUp();
  const seen = watch([lane.publish(record()), lane.publish(record())]);
  await clock.advance(DEADLINE_MS - 1);
  expect(seen).toEqual([undefined, undefined]);
  const late = watch([lane.publish(record())]);
  await clock.advance(1);
  expect(seen).toEqual(['unknown', 'expired']);
  appends[0]!.done();
  await clock.advance(0);
  expect(appends[1]!.records).toHaveLength(1);
  appends[1]!.done();
  await clock.advance(0);
  expect(late).toEqual(['acked']);
});

test('while Kafka hangs it holds nothing that has been answered', async () => {
  const { clock, lane } = setUp();
  for (let round = 0; round < 5; round++) {
    for (let i = 0; i < 100; i++) {
      const made = record();
      void lane.publish(made);
    }
    await clock.advance(DEADLINE_MS);
    expect(lane.queuedBytes).toBe(0);
    // One record is in the produce that hangs.
    expect(lane.heldRecords).toBe(1);
  }
});

test('a produce that Kafka refuses is refused, and the lane goes on', async () => {
  const { clock, appends, lane } = setUp();
  const seen = watch([lane.publish(record()), lane.publish(record())]);
  await clock.advance(0);
  appends[0]!.fail('rejected');
  await clock.advance(0);
  appends[1]!.done();
  await clock.advance(0);
  expect(seen).toEqual(['rejected', 'acked']);
});

test('draining waits for what is in flight, and gives up when its signal aborts', async () => {
  const { clock, appends, lane } = setUp();
  const seen = watch([lane.publish(record()), lane.publish(record())]);
  await clock.advance(0);
  const stop = new AbortController();
  let drained = false;
  void lane.drain(stop.signal).then(() => (drained = true));
  await clock.advance(0);
  expect(drained).toBe(false);
  stop.abort();
  appends[0]!.fail('unavailable');
  await clock.advance(0);
  expect(drained).toBe(true);
  expect(seen).toEqual(['unknown', 'expired']);
});
