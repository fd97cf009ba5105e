import { DependencyError } from '@weir/pipeline';
import { decodeNote, decodeRawMeta, isNote, type Usage } from '@weir/records';
import { FakeClock } from '@weir/testkit';
import { expect, test } from 'vitest';
import type { Log, NewRecord } from './log.ts';
import { PartitionLane, type Published, type RawRecord } from './partition-lane.ts';

const DEADLINE_MS = 5_000;

interface Append {
  readonly records: readonly NewRecord[];
  /** Of its first record; left out, behind all before. */
  done(offset?: number): void;
  fail(code: 'unavailable' | 'rejected'): void;
}

function setUp(batchBytesMax = 100, batchRecordsMax?: number, pace?: { ms: number; bytesMax: number }) {
  const clock = new FakeClock();
  const appends: Append[] = [];
  let end = 0;
  const log: Pick<Log, 'append'> = {
    append: (_topic, _partition, records) =>
      new Promise((resolve, reject) => {
        const fail = (code: 'unavailable' | 'rejected') =>
          reject(new DependencyError('kafka', code, 'no', { retryable: code === 'unavailable' }));
        const done = (offset = end) => {
          end = offset + records.length;
          resolve(offset);
        };
        appends.push({ records, done, fail });
      }),
  };
  const lost: number[] = [];
  const lostEnds: string[] = [];
  const lane = new PartitionLane(log as Log, clock, {
    topic: 't',
    partition: 0,
    edge: '0'.repeat(16),
    batchBytesMax,
    ...(batchRecordsMax === undefined ? {} : { batchRecordsMax }),
    ...(pace === undefined ? {} : { pace }),
    deadlineMs: DEADLINE_MS,
    onLost: (items) => void lost.push(items),
    onLostEnd: ({ message }) => void lostEnds.push(message),
  });
  const seqs = (index: number) =>
    appends[index]!.records.map(({ meta }) => {
      const decoded = decodeRawMeta(meta);
      return decoded.ok ? decoded.value.seq : -1;
    });
  const notes = () =>
    appends.flatMap(({ records }) => {
      const decoded = decodeNote(records[0]!.meta, records[0]!.value);
      return decoded.ok && isNote(records[0]!.meta) ? [decoded.value] : [];
    });
  return { clock, appends, lane, seqs, notes, lost, lostEnds };
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

test('where a produce is one record, each is answered on its own, and one is in flight all the same', async () => {
  const { clock, appends, lane, seqs } = setUp(100, 1);
  const seen = watch([lane.publish(record()), lane.publish(record()), lane.publish(record())]);
  for (const [done, outcomes] of [
    [0, ['acked', undefined, undefined]],
    [1, ['acked', 'acked', undefined]],
    [2, ['acked', 'acked', 'acked']],
  ] as const) {
    await clock.advance(0);
    expect([appends.length, seqs(done)]).toEqual([done + 1, [done]]);
    appends[done]!.done();
    await clock.advance(0);
    expect(seen).toEqual(outcomes);
  }
});

test('with a pace produces of little begin so far apart, and what comes meanwhile goes together', async () => {
  const { clock, appends, lane, seqs } = setUp(1_000, undefined, { ms: 5, bytesMax: 100 });
  void lane.publish(record());
  await clock.advance(2);
  appends[0]!.done();
  await clock.advance(0);
  void lane.publish(record());
  await clock.advance(2);
  void lane.publish(record());
  await clock.advance(0);
  expect(appends).toHaveLength(1);
  await clock.advance(1);
  expect(seqs(1)).toEqual([1, 2]);
  void lane.publish(record(100));
  appends[1]!.done();
  await clock.advance(0);
  expect(seqs(2)).toEqual([3]);
});

test('a lane at rest produces at once whatever its pace', async () => {
  const { clock, appends, lane } = setUp(1_000, undefined, { ms: 5, bytesMax: 100 });
  void lane.publish(record());
  await clock.advance(0);
  appends[0]!.done();
  await clock.advance(5);
  void lane.publish(record());
  await clock.advance(0);
  expect(appends).toHaveLength(2);
});

test('one that waits for its turn behind others waits no longer than its deadline', async () => {
  const { clock, appends, lane } = setUp(100, 1);
  const seen = watch([lane.publish(record()), lane.publish(record())]);
  await clock.advance(DEADLINE_MS);
  expect(seen).toEqual(['unknown', 'expired']);
  expect(appends).toHaveLength(1);
});

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
  const { clock, appends, lane, seqs, notes } = setUp();
  const seen = watch([lane.publish(record()), lane.publish(record())]);
  await clock.advance(DEADLINE_MS - 1);
  expect(seen).toEqual([undefined, undefined]);
  const late = watch([lane.publish(record())]);
  await clock.advance(1);
  expect(seen).toEqual(['unknown', 'expired']);
  appends[0]!.done();
  await clock.advance(0);
  expect(notes()).toHaveLength(1);
  appends[1]!.done();
  await clock.advance(0);
  expect(seqs(2)).toEqual([2]);
  appends[2]!.done();
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

const USAGE: Usage = {
  tenant: 'acme',
  signal: 'traces',
  minute: 7,
  outcome: 'refused',
  reason: 'tenant_items_rate',
  items: 3,
  bytes: 9,
};

test('behind an append without an answer goes a note of what was in it, and nothing else before that has one', async () => {
  const { clock, appends, lane, seqs, notes } = setUp(15);
  const seen = watch([lane.publish(record()), lane.publish(record())]);
  await clock.advance(0);
  appends[0]!.fail('unavailable');
  await clock.advance(DEADLINE_MS);
  appends[1]!.fail('unavailable');
  await clock.advance(0);
  expect(seen).toEqual(['unknown', 'expired']);
  expect(lane.inDoubt).toBe(true);
  const later = watch([lane.publish(record())]);
  const doubtful = { tenant: 'acme', signal: 'traces', minute: 0, outcome: 'refused', reason: 'kafka_unavailable' };
  for (let attempt = 0; attempt < 3; attempt++) {
    expect(appends.at(-1)!.records).toHaveLength(1);
    expect(notes().at(-1)).toEqual({
      edge: '0'.repeat(16),
      seq: 1,
      settled: [],
      doubtful: [{ ...doubtful, items: 1, bytes: 10 }],
    });
    appends.at(-1)!.fail('unavailable');
    await clock.advance(1_000);
  }
  appends.at(-1)!.done();
  await clock.advance(0);
  expect(lane.inDoubt).toBe(false);
  expect(seqs(appends.length - 1)).toEqual([2]);
  appends.at(-1)!.done();
  await clock.advance(0);
  expect(later).toEqual(['acked']);
});

const UNANSWERED = {
  tenant: 'acme',
  signal: 'traces',
  minute: 0,
  outcome: 'unanswered',
  reason: '',
  items: 1,
  bytes: 10,
};

test('what was answered as unknown and is there after all is noted, before a lane that drains ends', async () => {
  const { clock, appends, lane, notes, lost } = setUp();
  const seen = watch([lane.publish(record())]);
  await clock.advance(DEADLINE_MS);
  expect(seen).toEqual(['unknown']);
  let drained = false;
  void lane.drain(new AbortController().signal).then(() => (drained = true));
  appends[0]!.done();
  await clock.advance(0);
  expect(notes()).toEqual([{ edge: '0'.repeat(16), seq: 1, settled: [UNANSWERED], doubtful: [] }]);
  expect(drained).toBe(false);
  appends[1]!.done();
  await clock.advance(0);
  expect(drained).toBe(true);
  expect(lost).toEqual([]);
});

test('a lane that ends before it could note what was in doubt, or came late, says how many items', async () => {
  for (const isLate of [true, false]) {
    const { clock, appends, lane, lost } = setUp();
    void lane.publish(record());
    await clock.advance(0);
    if (!isLate) appends[0]!.fail('unavailable');
    await clock.advance(DEADLINE_MS);
    if (isLate) appends[0]!.done();
    else appends[1]!.fail('unavailable');
    await clock.advance(0);
    const stop = new AbortController();
    const drained = lane.drain(stop.signal);
    stop.abort();
    appends.at(-1)!.fail('unavailable');
    await clock.advance(0);
    await drained;
    expect(lost).toEqual([1]);
  }
});

test('a refusal after an attempt without an answer is not certain', async () => {
  const { clock, appends, lane } = setUp();
  const seen = watch([lane.publish(record())]);
  await clock.advance(0);
  appends[0]!.fail('unavailable');
  await clock.advance(100);
  appends[1]!.fail('rejected');
  await clock.advance(0);
  expect(seen).toEqual(['unknown']);
});

test('usage is written as a note, once Kafka takes it', async () => {
  const { clock, appends, lane, notes } = setUp();
  let written: boolean | undefined;
  void lane.note([USAGE]).then((outcome) => (written = outcome));
  await clock.advance(0);
  appends[0]!.fail('unavailable');
  await clock.advance(10 * DEADLINE_MS);
  expect(written).toBeUndefined();
  expect(notes()).toEqual([
    { edge: '0'.repeat(16), seq: 0, settled: [USAGE], doubtful: [] },
    { edge: '0'.repeat(16), seq: 0, settled: [USAGE], doubtful: [] },
  ]);
  appends[1]!.done();
  await clock.advance(0);
  expect(written).toBe(true);
});

test('a lane that ends with its note unwritten says so', async () => {
  const { clock, appends, lane } = setUp();
  let written: boolean | undefined;
  void lane.note([USAGE]).then((outcome) => (written = outcome));
  await clock.advance(0);
  const stop = new AbortController();
  void lane.drain(stop.signal);
  stop.abort();
  appends[0]!.fail('unavailable');
  await clock.advance(0);
  expect(written).toBe(false);
});

test('a lane whose note stays without an answer is in doubt, and no longer once it is written', async () => {
  const { clock, appends, lane } = setUp();
  void lane.note([USAGE]);
  await clock.advance(0);
  expect(lane.inDoubt).toBe(false);
  appends[0]!.fail('unavailable');
  await clock.advance(100);
  expect(lane.inDoubt).toBe(true);
  appends[1]!.done();
  await clock.advance(0);
  expect(lane.inDoubt).toBe(false);
});

test('what was answered as unknown and is refused by Kafka afterwards is told of', async () => {
  const { clock, appends, lane, notes } = setUp();
  const seen = watch([lane.publish(record())]);
  await clock.advance(DEADLINE_MS);
  expect(seen).toEqual(['unknown']);
  appends[0]!.fail('rejected');
  await clock.advance(0);
  expect(notes()).toMatchObject([{ seq: 1, doubtful: [{ tenant: 'acme', items: 1 }] }]);
});

test('a note that is refused leaves its doubt, and its place, to the next', async () => {
  const { clock, appends, lane, notes } = setUp();
  void lane.publish(record());
  await clock.advance(0);
  appends[0]!.fail('unavailable');
  await clock.advance(DEADLINE_MS);
  appends[1]!.fail('unavailable');
  await clock.advance(0);
  const written = settledTo(lane.note([USAGE]));
  appends[2]!.fail('rejected');
  await clock.advance(1_000);
  appends[3]!.done();
  await clock.advance(0);
  expect(notes().map(({ seq, doubtful }) => [seq, doubtful.length])).toEqual([
    [1, 1],
    [1, 1],
  ]);
  expect(lane.inDoubt).toBe(false);
  expect(written()).toBe(true);
});

test('a note that may be in the log keeps its place, whatever is said of it later', async () => {
  const { clock, appends, lane, seqs } = setUp();
  const written = settledTo(lane.note([USAGE]));
  await clock.advance(0);
  appends[0]!.fail('unavailable');
  await clock.advance(100);
  appends[1]!.fail('rejected');
  await clock.advance(1_000);
  appends[2]!.fail('rejected');
  await clock.advance(1_000);
  expect(written()).toBe(false);
  void lane.publish(record());
  await clock.advance(0);
  expect(seqs(3)).toEqual([1]);
});

test('a note that may be in the log and says what is in doubt is repeated as it is until it is there', async () => {
  const { clock, appends, lane } = setUp();
  void lane.publish(record());
  await clock.advance(0);
  appends[0]!.fail('unavailable');
  await clock.advance(DEADLINE_MS);
  appends[1]!.fail('unavailable');
  await clock.advance(0);
  appends[2]!.fail('unavailable');
  await clock.advance(100);
  appends[3]!.fail('rejected');
  await clock.advance(1_000);
  appends[4]!.fail('rejected');
  void lane.note([USAGE]);
  await clock.advance(1_000);
  expect(appends[5]!.records).toEqual(appends[2]!.records);
  appends[5]!.done();
  await clock.advance(0);
  expect(lane.inDoubt).toBe(false);
});

test('while its note is refused, nothing else is sent: what came between would stand for what is in doubt', async () => {
  const { clock, appends, lane, seqs, notes } = setUp();
  void lane.publish(record());
  await clock.advance(0);
  appends[0]!.fail('unavailable');
  await clock.advance(DEADLINE_MS);
  appends[1]!.fail('unavailable');
  await clock.advance(0);
  const later = watch([lane.publish(record())]);
  appends[2]!.fail('rejected');
  await clock.advance(1_000);
  expect(notes().map(({ seq, doubtful }) => [seq, doubtful.length])).toEqual([
    [1, 1],
    [1, 1],
  ]);
  appends[3]!.done();
  await clock.advance(0);
  expect(seqs(4)).toEqual([2]);
  appends[4]!.done();
  await clock.advance(0);
  expect(later).toEqual(['acked']);
});

function settledTo(promise: Promise<boolean>): () => boolean | undefined {
  let seen: boolean | undefined;
  void promise.then((outcome) => (seen = outcome));
  return () => seen;
}

test('a log that gives an offset twice has lost its end: what it took is unknown, and nothing goes there any more', async () => {
  const { clock, appends, lane, lost, lostEnds } = setUp(15);
  void lane.publish(record());
  await clock.advance(0);
  appends[0]!.done(41);
  await clock.advance(0);
  // Others append, too.
  void lane.publish(record());
  await clock.advance(0);
  appends[1]!.done(50);
  await clock.advance(0);
  expect([lostEnds, lane.hasLostEnd]).toEqual([[], false]);
  const later = watch([lane.publish(record()), lane.publish(record())]);
  let noted: boolean | undefined;
  void lane.note([USAGE]).then((written) => (noted = written));
  await clock.advance(0);
  appends[2]!.done(50);
  await clock.advance(0);
  expect(later).toEqual(['unknown', 'rejected']);
  expect([noted, lost]).toEqual([false, [1]]);
  expect(lostEnds).toEqual([expect.stringContaining('t/0 ends at 50, but reached 51')]);
  expect([lane.hasLostEnd, lane.inDoubt, lane.queuedBytes]).toEqual([true, true, 0]);
  expect([await lane.publish(record()), await lane.note([USAGE])]).toEqual(['rejected', false]);
  await lane.drain(new AbortController().signal);
  await clock.advance(DEADLINE_MS);
  expect([appends.length, lostEnds.length]).toEqual([3, 1]);
});

test('a note that is given an offset twice is not written, and nobody waits for what was in doubt', async () => {
  const { clock, appends, lane, notes, lost, lostEnds } = setUp();
  void lane.publish(record());
  await clock.advance(0);
  appends[0]!.done(7);
  await clock.advance(0);
  void lane.publish(record());
  await clock.advance(0);
  appends[1]!.fail('unavailable');
  await clock.advance(DEADLINE_MS);
  appends[2]!.fail('unavailable');
  await clock.advance(0);
  expect(notes()).toHaveLength(1);
  appends[3]!.done(7);
  await clock.advance(10 * DEADLINE_MS);
  expect([lost, lostEnds.length, appends.length]).toEqual([[1], 1, 4]);
});
