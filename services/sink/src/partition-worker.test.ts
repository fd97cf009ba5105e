import {
  type CommitMetadata,
  type Committed,
  decodeCommitMetadata,
  encodeCommitMetadata,
  INITIAL_STATE,
  type Log,
  type Membership,
  ProgressLog,
  REVISIONS,
} from '@weir/delivery';
import { Breaker, createBacklogReporter } from '@weir/flow';
import { DependencyError } from '@weir/pipeline';
import { CONTROL_TOPICS, encodeProgress, progressKey } from '@weir/records';
import { FakeClock } from '@weir/testkit';
import { describe, expect, test } from 'vitest';
import type { BatchCut } from './batches.ts';
import { HeldAnswers } from './consume/held-answers.ts';
import { Cutter } from './cutter.ts';
import { PartitionWorker, type WorkerParts } from './partition-worker.ts';

const TOPIC = 'weir.rows.v1';
const RECORD_BYTES = 1_000;
/** What one holds in a sink. */
const HELD_BYTES = RECORD_BYTES + 1_024;

/** Positions on weir.progress, of the partitions from 0 on. */
function progressPage(kept: readonly Committed[]) {
  const records = kept.map((position, partition) => ({
    offset: partition,
    timestampMs: 0,
    key: Buffer.from(progressKey(TOPIC, partition)),
    value: encodeProgress(position),
    meta: null,
  }));
  return { records, nextOffset: kept.length, startOffset: 0, endOffset: kept.length };
}

const BOUNDS = { ageMsMax: 100, bytesMax: 10 * HELD_BYTES, rowsMax: 1_000, blockBytesMax: 1e9 };

type Insert = (cut: BatchCut, signal: AbortSignal) => Promise<void>;

/** Parts of a worker that inserts so, and by itself cuts so. */
function parts(
  { log, clock, membership }: Pick<WorkerParts, 'log' | 'clock' | 'membership'>,
  insert: Insert,
  options: { readonly paysApart?: boolean; readonly bounds?: typeof BOUNDS } = {},
): WorkerParts {
  const { paysApart = false, bounds = BOUNDS } = options;
  const inserter = {
    insert: (cut: BatchCut, _ledger: unknown, signal: AbortSignal) => insert(cut, signal),
    paysApart: () => paysApart,
  };
  const shared = { membership, progress: new ProgressLog(log, TOPIC), inserter, clock, onStored: () => undefined };
  return {
    ...shared,
    log,
    answers: new HeldAnswers(),
    cutter: new Cutter({ ...shared, room: bounds, lateMsMax: bounds.ageMsMax }),
    topic: TOPIC,
    bounds,
    revision: REVISIONS.several,
    onTakeOver: () => undefined,
    onLost: () => undefined,
  };
}

/** A worker on a log that grows by what the test says, beside a reporter, with an inserter that hangs. */
function setUp(committed: Committed | null = null, kept: readonly Committed[] = []) {
  const clock = new FakeClock();
  const state = { end: 50 };
  const log: Log = {
    bounds: async (topic) => ({ start: 0, end: topic === CONTROL_TOPICS.progress ? kept.length : state.end }),
    read: async (topic, _partition, offset, { maxWaitMs }, signal) => {
      if (topic === CONTROL_TOPICS.progress) return progressPage(kept);
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
  const hangs = parts({ log, clock, membership }, (_cut, signal) => clock.sleep(1e9, signal));
  const worker = new PartitionWorker(0, hangs);
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
  return { clock, state, hangs, worker, reporter };
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
    expect(worker.progress).toMatchObject({ doneTo: 0, endOffset: 5_000, recordBytes: RECORD_BYTES });
    session.abort();
    await running;
    await reporter.stop(session.signal);
  });
});

test.each([
  ['what was stored of it', { offset: 51, metadata: encodeCommitMetadata({ mark: null, state: INITIAL_STATE }) }, 51],
  ['a cut that was recorded', { offset: 48, metadata: encodeCommitMetadata({ mark: 52, state: INITIAL_STATE }) }, 53],
])(
  'a rows log that ends before %s is refused: what comes there would be passed over',
  async (_what, committed, reached) => {
    const { worker } = setUp(committed);
    const never = new AbortController().signal;
    await expect(worker.run(never, never)).rejects.toThrow(
      `${TOPIC}/0 ends at 50, but reached ${reached}: acknowledged records are lost`,
    );
  },
);

test('a partition whose cut cannot be recorded does not move, though what it reads is empty', async () => {
  const { clock, state, hangs } = setUp();
  state.end = 5;
  let failing = true;
  const append: Log['append'] = async (...rest) => {
    if (failing) throw new DependencyError('kafka', 'timeout', 'no answer', { retryable: true });
    return hangs.log.append(...rest);
  };
  const works = parts({ ...hangs, log: { ...hangs.log, append } }, async () => undefined);
  const worker = new PartitionWorker(0, works);
  const session = new AbortController();
  const running = worker.run(session.signal, new AbortController().signal).catch(() => undefined);
  await clock.advance(30_000);
  expect(worker.progress).toMatchObject({ doneTo: 0, movedMs: 0, bufferedBytes: 5 * HELD_BYTES });
  failing = false;
  await clock.advance(5_000);
  expect(worker.progress).toMatchObject({ doneTo: 5, bufferedBytes: 0 });
  expect(clock.nowMs() - worker.progress.movedMs).toBeLessThan(1_000);
  session.abort();
  await running;
});

test('the memory of what is stored is given back, and not before: an answer that is stored in part stays whole', async () => {
  const { clock, state, hangs } = setUp();
  state.end = 4;
  const answers: Buffer[] = [];
  const read: Log['read'] = async (topic, partition, offset, options, signal) => {
    const page = await hangs.log.read(topic, partition, offset, options, signal);
    if (topic === CONTROL_TOPICS.progress || page.records.length === 0) return page;
    const answer = Buffer.from(new ArrayBuffer(page.records.length * 100_000));
    answers.push(answer);
    const part = (at: number) => answer.subarray(at * 100_000, (at + 1) * 100_000);
    return { ...page, records: page.records.map((record, at) => ({ ...record, value: part(at) })) };
  };
  const inserted: number[] = [];
  const insert: Insert = async ({ ranges }, signal) => {
    await clock.sleep(1_000, signal);
    // What it has of them is whole until the end.
    for (const { value } of ranges.flatMap(({ entries }) => entries)) inserted.push(value.length);
  };
  const works = parts({ ...hangs, log: { ...hangs.log, read } }, insert, { bounds: { ...BOUNDS, bytesMax: 250_000 } });
  const worker = new PartitionWorker(0, works);
  const session = new AbortController();
  const running = worker.run(session.signal, new AbortController().signal).catch(() => undefined);
  const sizes = () => answers.map(({ length }) => length);
  // Without the first, of which only the size is seen.
  await clock.advance(1_500);
  expect([worker.progress.doneTo, sizes().slice(1)]).toEqual([2, [400_000]]);
  await clock.advance(1_000);
  expect([worker.progress.doneTo, sizes().slice(1)]).toEqual([4, [0]]);
  expect(inserted).toEqual([100_000, 100_000, 100_000, 100_000]);
  session.abort();
  await running;
});

test('begins with what the worker that failed knew of the backlog, and with nothing of what it held', () => {
  const { clock, hangs } = setUp();
  const known = { doneTo: 30, endOffset: 40, lostTo: 20, endSeenMs: -3, recordBytes: 77, movedMs: -2 };
  const former = { ...known, bufferedBytes: 9, insertingSinceMs: -2, aliveMs: -1 };
  const fresh = { bufferedBytes: 0, insertingSinceMs: undefined, aliveMs: clock.nowMs() };
  expect(new PartitionWorker(0, hangs, former).progress).toEqual({ ...known, ...fresh });
});

test('tells once of records that Kafka let go of before they were stored', async () => {
  const committed = { offset: 5, metadata: encodeCommitMetadata({ mark: null, state: INITIAL_STATE }) };
  const { clock, hangs } = setUp(committed);
  const lost: [number, number][] = [];
  const log: Log = { ...hangs.log, bounds: async () => ({ start: 20, end: 50 }) };
  const told: WorkerParts = { ...hangs, log, onLost: (partition, records) => lost.push([partition, records]) };
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
    const { clock, state, hangs } = setUp(committed);
    state.end = 10;
    const recorded: boolean[] = [];
    const inserted: boolean[] = [];
    const membership: Membership = {
      ...hangs.membership,
      commit: async (positions) => {
        const { mark, apart: said = false } = decodeCommitMetadata(positions.get(0)!.metadata);
        if (mark !== null) recorded.push(said);
      },
    };
    const options = { paysApart: true, bounds: { ...BOUNDS, bytesMax: 5 * HELD_BYTES } };
    const works = parts({ ...hangs, membership }, async (cut) => void inserted.push(cut.apart), options);
    const worker = new PartitionWorker(0, { ...works, revision });
    const session = new AbortController();
    const running = worker.run(session.signal, new AbortController().signal).catch(() => undefined);
    await clock.advance(5_000);
    expect(worker.progress.doneTo).toBe(10);
    expect([inserted, recorded]).toEqual([expected, expected]);
    session.abort();
    await running;
  });
});

describe('a cut of several partitions that another sink recorded', () => {
  const at = (offset: number, metadata: Partial<CommitMetadata> = {}) => ({
    offset,
    metadata: encodeCommitMetadata({ mark: null, state: INITIAL_STATE, ...metadata }),
  });
  const LEADS = at(0, { mark: 4, members: [1] });
  const LED = at(0, { mark: 2, leader: { partition: 0, first: 0 } });
  const REWOUND = { offset: 0, metadata: '' };

  /** Two partitions, and their positions in the group and on weir.progress. */
  function taken(group: readonly Committed[], kept: readonly Committed[] = []) {
    const { clock, state, hangs } = setUp(null, kept);
    state.end = 10;
    const positions = new Map(group.map((position, partition) => [partition, position]));
    const inserted: string[] = [];
    const membership: Membership = {
      ...hangs.membership,
      committed: async (partition) => positions.get(partition) ?? null,
      commit: async (changes) => {
        for (const [partition, position] of changes) positions.set(partition, position);
      },
    };
    const works = parts({ ...hangs, membership }, async ({ ranges }) => {
      inserted.push(ranges.map(({ partition, first, last }) => `${partition}: ${first}..${last}`).join(', '));
    });
    const session = new AbortController();
    const workers = [0, 1].map((partition) => new PartitionWorker(partition, works));
    const run = async (partition: number, ms = 5_000) => {
      void workers[partition]!.run(session.signal, new AbortController().signal).catch(() => undefined);
      await clock.advance(ms);
    };
    return { clock, positions, inserted, workers, run };
  }

  test('is inserted whole by who has its leader, and settled for all of them', async () => {
    const { inserted, run } = taken([LEADS, LED], [LEADS, LED]);
    await run(0);
    expect(inserted).toEqual(['0: 0..4, 1: 0..2', '0: 5..9']);
    await run(1);
    expect(inserted.slice(2)).toEqual(['1: 3..9']);
  });

  test('is waited for by who has another of them, whose backlog is seen meanwhile', async () => {
    const { inserted, run, workers } = taken([LEADS, LED], [LEADS, LED]);
    await run(1, 60_000);
    expect([inserted, workers[1]!.progress.endOffset]).toEqual([[], 10]);
    await run(0);
    expect(inserted[0]).toBe('0: 0..4, 1: 0..2');
    expect(inserted.slice(1).join(', ').split(', ').toSorted()).toEqual(['0: 5..9', '1: 3..9']);
  });

  describe('where the group has lost a position that weir.progress has', () => {
    test('is not inserted again if its leader has gone on', async () => {
      const { inserted, run } = taken([at(5), REWOUND], [LEADS, LED]);
      await run(1);
      expect(inserted).toEqual(['1: 3..9']);
    });

    test('is not inserted again if another has gone on, and settled for the rest', async () => {
      const { inserted, run, positions } = taken([REWOUND, at(3)], [LEADS, LED]);
      await run(0, 50);
      expect([inserted, positions.get(0)]).toEqual([[], expect.objectContaining({ offset: 5 })]);
    });
  });

  describe('was not inserted where the group has it open, wherever the others stand', () => {
    // A crash before weir.progress had it, and positions put back by hand; or a sink that does not know such cuts.
    test('by its leader', async () => {
      const { inserted, run } = taken([at(5), LED], [at(0), at(0)]);
      await run(1);
      expect(inserted).toEqual(['1: 0..2', '1: 3..9']);
    });

    test('by another', async () => {
      const { inserted, run } = taken([LEADS, REWOUND], [at(0), at(0)]);
      await run(0);
      expect(inserted).toEqual(['0: 0..4', '0: 5..9']);
    });

    test('and its leader goes on while it is waited for', async () => {
      const { inserted, run, positions } = taken([LEADS, LED], [LEADS, LED]);
      await run(1);
      positions.set(0, at(10));
      await run(0);
      expect(inserted).toEqual(['1: 0..2', '1: 3..9']);
    });
  });
});

test('a partition that cannot be read takes nothing from an insert under way: what was read of it and of the others is stored, and it alone fails', async () => {
  const { clock, state, hangs } = setUp();
  state.end = 5;
  let failing = false;
  const read: Log['read'] = async (topic, partition, ...rest) => {
    if (failing && partition === 1) throw new DependencyError('kafka', 'timeout', 'no answer', { retryable: true });
    return hangs.log.read(topic, partition, ...rest);
  };
  const log = { ...hangs.log, read };
  const cuts: BatchCut[] = [];
  const works = parts({ ...hangs, log }, async (cut, signal) => {
    cuts.push(cut);
    await clock.sleep(2_000, signal);
  });
  const session = new AbortController();
  const ended: unknown[] = [];
  const running = [0, 1].map((partition) => {
    const worker = new PartitionWorker(partition, works);
    const run = worker.run(session.signal, new AbortController().signal);
    return { worker, done: run.catch((error: unknown) => void ended.push(partition, error)) };
  });
  await clock.advance(1_000);
  failing = true;
  await clock.advance(1_000);
  expect(ended).toEqual([]);
  await clock.advance(3_000);
  expect(ended).toEqual([1, expect.objectContaining({ name: 'DependencyError', message: 'no answer' })]);
  expect(cuts.map(({ ranges }) => ranges.map(({ partition, first, last }) => [partition, first, last]))).toEqual([
    [
      [0, 0, 4],
      [1, 0, 4],
    ],
  ]);
  expect(running.map(({ worker }) => worker.progress.doneTo)).toEqual([5, 5]);
  session.abort();
  await running[0]!.done;
});
