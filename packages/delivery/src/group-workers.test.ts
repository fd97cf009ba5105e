import { DependencyError, InvariantError } from '@weir/pipeline';
import { FakeClock } from '@weir/testkit';
import { expect, test } from 'vitest';
import { GroupWorkers, type PartitionWork } from './group-workers.ts';
import type { Membership, MembershipEvents } from './log.ts';

function setUp(run: PartitionWork['run']) {
  const clock = new FakeClock();
  const told: string[] = [];
  let group: MembershipEvents | undefined;
  const membership: Membership = {
    join: async (events) => {
      group = events;
    },
    leave: async () => void told.push('left'),
    committed: async () => null,
    commit: async () => undefined,
  };
  const events = {
    failed: (partition: number, error: unknown) => void told.push(`failed ${partition} ${(error as Error).message}`),
    owned: (partitions: readonly number[]) => void told.push(`owns ${partitions.join()}`),
    fatal: (error: unknown) => void told.push(`fatal ${(error as Error).message}`),
  };
  const formers: unknown[] = [];
  const revisions: number[] = [];
  const workers = new GroupWorkers<PartitionWork>(membership, clock, events, (_partition, former, revision) => {
    formers.push(former);
    revisions.push(revision);
    return { run };
  });
  return { clock, told, formers, revisions, workers, group: () => group! };
}

const untilAborted = (signal: AbortSignal) =>
  new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));

test('a worker that a dependency fails is begun anew after a second', async () => {
  let runs = 0;
  const { clock, told, formers, workers, group } = setUp(async (session) => {
    if (runs++ === 0) throw new DependencyError('kafka', 'timeout', 'no answer', { retryable: true });
    await untilAborted(session);
  });
  await workers.start(new AbortController().signal);
  group().assigned([3], 1);
  await clock.advance(999);
  expect([runs, told]).toEqual([1, ['owns ', 'owns 3', 'failed 3 no answer']]);
  const failed = workers.workers.get(3);
  await clock.advance(1);
  expect(runs).toBe(2);
  // What is known of the partition outlives the worker; another assignment begins without.
  expect(formers).toEqual([undefined, failed]);
  group().assigned([3], 1);
  expect(formers.slice(2)).toEqual([undefined]);
});

test('each worker knows what all members understand since its partition was given', async () => {
  let runs = 0;
  const { clock, revisions, workers, group } = setUp(async (session) => {
    if (++runs === 2) throw new DependencyError('kafka', 'timeout', 'no answer', { retryable: true });
    await untilAborted(session);
  });
  await workers.start(new AbortController().signal);
  group().assigned([3], 1);
  group().assigned([3], 2);
  await clock.advance(1_000);
  group().assigned([3], 1);
  expect(revisions).toEqual([1, 2, 2, 1]);
});

test('the membership’s sign of life is the group’s', async () => {
  const { clock, workers, group } = setUp(untilAborted);
  await workers.start(new AbortController().signal);
  await clock.advance(5_000);
  expect(workers.aliveMs).toBe(0);
  group().alive?.();
  expect(workers.aliveMs).toBe(5_000);
});

test('a broken invariant is fatal, and not tried again', async () => {
  let runs = 0;
  const { clock, told, workers, group } = setUp(async () => {
    runs++;
    throw new InvariantError('two owners');
  });
  await workers.start(new AbortController().signal);
  group().assigned([0], 1);
  await clock.advance(60_000);
  expect([runs, told]).toEqual([1, ['owns ', 'owns 0', 'fatal two owners']]);
});

test('what is given away ends at once, and what it throws then is nobody’s business', async () => {
  const ended: number[] = [];
  const { clock, told, workers, group } = setUp(async (session) => {
    await untilAborted(session);
    ended.push(clock.nowMs());
    throw new Error('aborted');
  });
  await workers.start(new AbortController().signal);
  group().assigned([0], 1);
  await clock.advance(10);
  group().revoked();
  await clock.advance(10_000);
  expect([ended, workers.joined, workers.workers.size]).toEqual([[10], false, 0]);
  expect(told.filter((line) => !line.startsWith('owns'))).toEqual([]);
});

test('stopping lets the workers drain before it leaves the group', async () => {
  const { told, workers, group } = setUp(async (_session, draining) => {
    await untilAborted(draining);
    told.push('drained');
  });
  await workers.start(new AbortController().signal);
  group().assigned([0], 1);
  await workers.stop(new AbortController().signal);
  expect(told.slice(-2)).toEqual(['drained', 'left']);
});
