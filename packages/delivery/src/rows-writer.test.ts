import { DependencyError } from '@weir/pipeline';
import { decodeRowsMeta } from '@weir/records';
import { SimulatedLog, VirtualTime } from '@weir/testkit';
import { expect, test } from 'vitest';
import { RowsReader } from './rows-reader.ts';
import { RowsWriter } from './rows-writer.ts';
import { type RowsPartition, takeOver } from './take-over.ts';

const DOWN = new DependencyError('kafka', 'timeout', 'no answer', { retryable: true });
const NEVER = new AbortController().signal;
const CALM = { answerLost: 0, late: 0, lost: 0 };
const A = 'aaaaaaaaaaaaaaaa';
const B = 'bbbbbbbbbbbbbbbb';

function content(rawFirst: number, rawLast: number) {
  return { rawFirst, rawLast, oldestReceivedAtNs: 0n, sections: [], marks: [{ edge: A, seq: rawLast, seenMs: 1 }] };
}

function setUp() {
  const time = new VirtualTime(1);
  const log = new SimulatedLog(time, CALM);
  const rows: RowsPartition = { log, clock: time, topic: 'rows', partition: 0 };
  /** Lets time pass until the work is done. */
  const finish = async <T>(work: Promise<T>): Promise<T> => {
    let settled = false;
    const done = work.finally(() => {
      settled = true;
    });
    done.catch(() => undefined);
    await time.run(time.nowMs() + 60_000, () => settled);
    return done;
  };
  /** Source ranges that count by the reading rule. */
  const counting = (): number[][] => {
    const reader = new RowsReader();
    const ranges: number[][] = [];
    for (const { meta, value } of log.records('rows', 0)) {
      const decoded = decodeRowsMeta(meta, value?.length ?? 0);
      if (!decoded.ok || !reader.takes(decoded.value) || decoded.value.kind === 'fence') continue;
      ranges.push([decoded.value.rawFirst, decoded.value.rawLast]);
    }
    return ranges;
  };
  const own = (owner: string) => finish(takeOver(rows, owner, null, NEVER));
  return { time, log, rows, finish, counting, own };
}

const VALUE = Buffer.from('rows');

test('a former owner learns from the gap that it lost the partition, and what it wrote does not count', async () => {
  const { rows, finish, counting, own } = setUp();
  const former = new RowsWriter(rows, await own(A));
  expect(await finish(former.append(content(0, 4), VALUE, NEVER))).toBe(1);
  const ownership = await own(B);
  expect([ownership.epoch, ownership.rawLast, ownership.marks[0]?.seq]).toEqual([3, 4, 4]);
  expect(await finish(former.append(content(5, 6), VALUE, NEVER))).toBeUndefined();
  expect(await finish(former.append(content(5, 6), VALUE, NEVER))).toBeUndefined();
  const present = new RowsWriter(rows, ownership);
  expect(await finish(present.append(content(5, 9), VALUE, NEVER))).toBeDefined();
  expect(counting()).toEqual([
    [0, 4],
    [5, 9],
  ]);
});

test('a gap that a paused former owner left does not end the ownership', async () => {
  const { rows, finish, counting, own } = setUp();
  const former = new RowsWriter(rows, await own(A));
  const present = new RowsWriter(rows, await own(B));
  await finish(former.append(content(0, 0), VALUE, NEVER));
  expect(await finish(present.append(content(0, 2), VALUE, NEVER))).toBeDefined();
  expect(counting()).toEqual([[0, 2]]);
});

test('an append whose answer was lost is repeated, and counts once', async () => {
  const { time, log, rows, finish, counting, own } = setUp();
  const writer = new RowsWriter(rows, await own(A));
  log.faults = { answerLost: 1, late: 0, lost: 0 };
  time.at(20, () => {
    log.faults = CALM;
  });
  expect(await finish(writer.append(content(0, 3), VALUE, NEVER))).toBe(2);
  expect(await finish(writer.append(content(4, 5), VALUE, NEVER))).toBeDefined();
  expect(counting()).toEqual([
    [0, 3],
    [4, 5],
  ]);
});

test('an append that stays without an answer ends the ownership', async () => {
  const { log, rows, finish, own } = setUp();
  const writer = new RowsWriter(rows, await own(A));
  log.faults = { answerLost: 0, late: 0, lost: 1 };
  expect(await finish(writer.append(content(0, 3), VALUE, NEVER))).toBeUndefined();
  log.faults = CALM;
  expect(await finish(writer.append(content(0, 3), VALUE, NEVER))).toBeUndefined();
});

test('a take-over from a checkpoint knows what one from the start of the log knows', async () => {
  const { rows, finish, own } = setUp();
  const writer = new RowsWriter(rows, await own(A));
  await finish(writer.append(content(0, 4), VALUE, NEVER));
  const mark = await finish(writer.append(content(5, 7), VALUE, NEVER));
  const checkpoint = { mark: mark!, state: { epoch: 1, owner: A, rawLast: 4 } };
  const ownership = await finish(takeOver(rows, B, checkpoint, NEVER));
  expect(ownership).toMatchObject({ epoch: 4, rawLast: 7, marks: [{ edge: A, seq: 7, seenMs: 1 }] });
});

test('a source range that does not follow the last one is a broken invariant', async () => {
  const { rows, finish, own } = setUp();
  const writer = new RowsWriter(rows, await own(A));
  await finish(writer.append(content(0, 4), VALUE, NEVER));
  await expect(writer.append(content(4, 5), VALUE, NEVER)).rejects.toThrow('source range');
});

test('an append that stays without an answer is told of with each try, and ends the ownership', async () => {
  const { time, rows, finish, own } = setUp();
  const tries: number[] = [];
  const append = async () => {
    await time.sleep(10);
    throw DOWN;
  };
  const log = { ...rows.log, append };
  const writer = new RowsWriter({ ...rows, log, failed: (retryInMs) => tries.push(retryInMs) }, await own(A));
  expect(await finish(writer.append(content(0, 4), VALUE, NEVER))).toBeUndefined();
  expect(tries).toEqual([100, 200, 400, 800]);
});

test('an offset that was given before says that the log has lost its end: nobody goes on there', async () => {
  const { log, rows, finish, own } = setUp();
  const writer = new RowsWriter(rows, await own(A));
  await finish(writer.append(content(0, 4), VALUE, NEVER));
  await finish(writer.append(content(5, 6), VALUE, NEVER));
  log.loseEnd('rows', 0, 2);
  await expect(finish(writer.append(content(7, 8), VALUE, NEVER))).rejects.toThrow('rows/0 ends at 1, but reached 3');
});
