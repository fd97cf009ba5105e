import { INITIAL_STATE, type Membership, type ProgressLog, REVISIONS } from '@weir/delivery';
import { DependencyError } from '@weir/pipeline';
import { FakeClock } from '@weir/testkit';
import { expect, test } from 'vitest';
import { PartitionBuffer } from './batch/partition-buffer.ts';
import type { BatchCut, RowsEntry } from './batches.ts';
import { Cutter } from './cutter.ts';

const BOUNDS = { ageMsMax: 100, bytesMax: 10, rowsMax: 1_000, blockBytesMax: 1e9 };
const INSERT_MS = 40;
const LATE_MS = 50;

/** Partitions into which the test puts records of one byte, beside an inserter that takes its time. */
function setUp({ revision = REVISIONS.several as number, insertMs = INSERT_MS } = {}) {
  const clock = new FakeClock();
  const inserts: string[] = [];
  const commits: number[][] = [];
  let failing: Error | undefined;
  const membership: Pick<Membership, 'commit'> = {
    commit: async (positions) => void commits.push([...positions.keys()]),
  };
  const progress: Pick<ProgressLog, 'put'> = { put: async () => undefined };
  const cutter = new Cutter({
    membership: membership as Membership,
    progress: progress as ProgressLog,
    inserter: {
      paysApart: () => false,
      insert: async ({ ranges }: BatchCut, _ledger, signal) => {
        const what = ranges.map(({ partition, first, last }) => `${partition}: ${first}..${last}`);
        inserts.push(`${clock.nowMs()} ${what.join(', ')}`);
        await clock.sleep(insertMs, signal);
        if (failing !== undefined) throw failing;
      },
    },
    clock,
    room: BOUNDS,
    lateMsMax: LATE_MS,
    onStored: () => undefined,
  });
  const draining = new AbortController();
  const partition = (number: number) => {
    const start = { partition: number, first: 0, state: INITIAL_STATE, term: 1 };
    const buffer = new PartitionBuffer(start, BOUNDS);
    const session = new AbortController();
    let offset = 0;
    let woken = new AbortController();
    const stored: number[] = [];
    const ended = cutter
      .store(
        {
          partition: number,
          buffer,
          revision,
          heard: () => undefined,
          taken: () => undefined,
          inserting: () => undefined,
          stored: ({ last }) => void stored.push(last),
          pause: async (ms) => {
            woken = new AbortController();
            await clock.sleep(Math.min(ms, 60_000), woken.signal).catch(() => undefined);
          },
          wake: () => woken.abort(),
        },
        session.signal,
        draining.signal,
      )
      .then(
        () => 'drained',
        (error: Error) => error.message,
      );
    const put = (records: number) => {
      for (let at = 0; at < records; at++) {
        const entry = {
          offset: offset++,
          value: Buffer.of(1),
          rows: 1,
          blockBytes: 1,
          heldBytes: 1,
          stateAfter: INITIAL_STATE,
        };
        buffer.push(entry as Partial<RowsEntry> as RowsEntry, clock.nowMs());
      }
      woken.abort();
    };
    return { put, ended, session, stored };
  };
  return {
    ...{ clock, inserts, commits, partition, draining },
    fail: (error: Error) => {
      failing = error;
    },
  };
}

test('what is due goes in together with what else is there, in one commit', async () => {
  const { clock, inserts, commits, partition } = setUp();
  const [one, two, idle] = [partition(0), partition(1), partition(2)];
  one.put(2);
  await clock.advance(60);
  two.put(3);
  await clock.advance(39);
  expect(inserts).toEqual([]);
  await clock.advance(1 + INSERT_MS);
  expect(inserts).toEqual(['100 0: 0..1, 1: 0..2']);
  expect(commits).toEqual([
    [0, 1],
    [0, 1],
  ]);
  expect([one.stored, two.stored, idle.stored]).toEqual([[1], [2], []]);
});

test('the next cut rides on the commit, with who else has something by then', async () => {
  const { clock, inserts, commits, partition } = setUp();
  const [one, two] = [partition(0), partition(1)];
  one.put(10);
  await clock.advance(1);
  one.put(10);
  two.put(1);
  await clock.advance(INSERT_MS);
  await clock.advance(INSERT_MS);
  expect(inserts).toEqual(['0 0: 0..9', `${INSERT_MS} 0: 10..19`]);
  expect(commits[1]).toEqual([0]);
  await clock.advance(100);
  expect(inserts[2]).toBe('101 1: 0..0');
});

test('a cut has no more in all than one partition may have', async () => {
  const { clock, inserts, partition } = setUp();
  const all = [partition(0), partition(1), partition(2)];
  for (const each of all) each.put(6);
  await clock.advance(100 + 3 * INSERT_MS);
  expect(inserts).toEqual(['100 0: 0..5, 1: 0..3', '140 1: 4..5, 2: 0..5']);
});

test('while a cut is inserted, others begin only for what is full or late', async () => {
  const { clock, inserts, partition } = setUp({ insertMs: 300 });
  const [slow, full, late] = [partition(0), partition(1), partition(2)];
  slow.put(1);
  await clock.advance(101);
  late.put(1);
  full.put(9);
  await clock.advance(100);
  // Due, and not yet full or late.
  expect(inserts).toEqual(['100 0: 0..0']);
  full.put(1);
  await clock.advance(1);
  expect(inserts.slice(1)).toEqual(['201 1: 0..9']);
  await clock.advance(LATE_MS);
  expect(inserts.slice(2)).toEqual([`${201 + LATE_MS} 2: 0..0`]);
});

test('what fails in a cut fails for each of its partitions, and for no other', async () => {
  const { clock, partition, fail, draining } = setUp();
  const [one, two, other] = [partition(0), partition(1), partition(2)];
  one.put(1);
  two.put(1);
  fail(new DependencyError('kafka', 'fenced', 'not the owner', { retryable: false }));
  await clock.advance(100 + INSERT_MS);
  expect(await Promise.all([one.ended, two.ended])).toEqual(['not the owner', 'not the owner']);
  draining.abort();
  other.put(0);
  expect(await other.ended).toBe('drained');
});

test('a partition that is given away ends the cut that it is in', async () => {
  const { clock, partition } = setUp();
  const [one, two] = [partition(0), partition(1)];
  one.put(1);
  two.put(1);
  await clock.advance(101);
  two.session.abort(new Error('given away'));
  await clock.advance(0);
  expect(await Promise.all([one.ended, two.ended])).toEqual([
    'another partition of the cut is taken up anew',
    'given away',
  ]);
});

test('beside a sink that does not know cuts of several partitions each goes alone, at the same time', async () => {
  const { clock, inserts, partition } = setUp({ revision: REVISIONS.lanes });
  const all = [partition(0), partition(1)];
  for (const each of all) each.put(1);
  await clock.advance(100);
  expect(inserts).toEqual(['100 0: 0..0', '100 1: 0..0']);
});

test('what is buffered when a sink drains goes in at once', async () => {
  const { clock, inserts, partition, draining } = setUp();
  const [one, two] = [partition(0), partition(1)];
  one.put(1);
  two.put(2);
  draining.abort();
  one.put(0);
  two.put(0);
  await clock.advance(INSERT_MS);
  expect(inserts).toEqual(['0 0: 0..0, 1: 0..1']);
  expect(await Promise.all([one.ended, two.ended])).toEqual(['drained', 'drained']);
});
