import type { BlocksInsert } from '@weir/clickhouse';
import type { CutLedger, Log, NewRecord } from '@weir/delivery';
import { DependencyError } from '@weir/pipeline';
import type { RowsMeta } from '@weir/records';
import { FakeClock } from '@weir/testkit';
import { describe, expect, test } from 'vitest';
import type { Batch, BatchCut, RowsEntry } from '../batches.ts';
import { LIMITS } from '../limits.ts';
import { BatchInserter } from './batch-inserter.ts';
import { partNumber } from './parts.ts';

const NO_LETTERS = new DependencyError('kafka', 'rejected', 'no', { retryable: false });

function entry(offset: number, rows: number, lane = 0): RowsEntry {
  const section = { lane, table: 'otel_logs', rows, blockBytes: 1, start: 0, end: 1 } as const;
  const meta = { sections: [section], oldestReceivedAtNs: 1n } as unknown as RowsMeta;
  return { offset, value: Buffer.of(lane), meta, rows, blockBytes: 1 } as Partial<RowsEntry> as RowsEntry;
}

const POISON = { reason: 'corrupt_record', message: 'no record' } as const;

function batchOf(entries: readonly RowsEntry[], partition = 0): Batch {
  return { partition, first: 0, last: 9, bytes: 1, rows: 1, entries } as Partial<Batch> as Batch;
}

function cutOf(ranges: readonly Batch[], apart = false): BatchCut {
  return { ranges, apart, refused: new Map() };
}

function setUp(
  insert: (insert: BlocksInsert, signal: AbortSignal) => Promise<void>,
  append: (records: readonly NewRecord[]) => Promise<void> = async () => {
    throw NO_LETTERS;
  },
) {
  const clock = new FakeClock();
  const told: string[] = [];
  const log: Pick<Log, 'append'> = {
    append: async (_topic, _partition, records) => {
      await append(records);
      return 0;
    },
  };
  const inserter = new BatchInserter({ insertBlocks: insert }, log as Log, 'rows', clock, {
    inserted: () => void told.push('inserted'),
    failed: (_table, error) => void told.push(`failed: ${error.code}`),
    refused: () => void told.push('refused'),
    passedOverView: () => void told.push('view'),
    deadLettered: (reason) => void told.push(reason),
  });
  const refused = new Map<number, string>();
  const ledger = {
    confirm: async () => undefined,
    refuse: async (part, marks) => void refused.set(part, marks),
  } as Partial<CutLedger> as CutLedger;
  return {
    clock,
    told,
    refused,
    inserter,
    run: (cut: BatchCut) => inserter.insert(cut, ledger, new AbortController().signal),
  };
}

test('when a letter cannot be written the inserts of the batch end too: whoever takes it up again is alone with it', async () => {
  let tries = 0;
  const { clock, run } = setUp(async () => {
    tries++;
    throw new DependencyError('clickhouse', 'unavailable', 'down', { retryable: true });
  });
  const poison = { ...entry(1, 0), meta: undefined, poison: POISON };
  const ended = expect(run(cutOf([batchOf([entry(0, 5), poison])]))).rejects.toBe(NO_LETTERS);
  await clock.advance(0);
  await ended;
  const before = tries;
  await clock.advance(600_000);
  expect(tries).toBe(before);
});

test('rows that are refused are no failure of ClickHouse', async () => {
  const { clock, told, run } = setUp(async () => {
    throw new DependencyError('clickhouse', 'rejected', 'a row is bad', { retryable: false });
  });
  const ended = expect(run(cutOf([batchOf([entry(0, 1)])]))).rejects.toBe(NO_LETTERS);
  await clock.advance(0);
  await ended;
  expect(new Set(told)).toEqual(new Set(['refused']));
});

/** Two lanes that go in apart, one that is too small for it, and mixed rows. */
const LANES = [
  entry(0, LIMITS.laneRowsMin, 8),
  entry(1, 10, 20),
  entry(2, 3, 0),
  entry(3, LIMITS.laneRowsMin + 1, 9),
  entry(4, 5, 8),
];

describe('lanes that go in apart', () => {
  const cut = cutOf([batchOf(LANES)], true);

  test('are inserts of their own, whose names do not depend on which is answered first', async () => {
    const inserts = async (delayMs: (lane: number) => number) => {
      const done: string[] = [];
      const { clock, inserter, run } = setUp(async ({ token, frames }) => {
        await clock.sleep(delayMs(frames[0]![0]!));
        done.push(`${token}: ${frames.map((frame) => frame[0]).join(' ')}`);
      });
      expect([inserter.paysApart(cut.ranges), inserter.paysApart([batchOf(LANES.slice(1, 3))])]).toEqual([true, false]);
      const ended = run(cut);
      await clock.advance(1_000);
      await ended;
      return done;
    };
    const expected = [
      'otel_logs:rows:0:0-9:lane-8: 8 8',
      'otel_logs:rows:0:0-9:lane-9: 9',
      'otel_logs:rows:0:0-9: 20 0',
    ];
    expect(await inserts((lane) => lane)).toEqual(expected);
    expect(await inserts((lane) => 300 - lane)).toEqual(expected.toReversed());
  });

  test('are refused apart: what is recorded is the lane, and the other rows of its table go in as they are', async () => {
    const taken: string[] = [];
    const letters: string[] = [];
    const { clock, refused, run } = setUp(
      async ({ token, frames }) => {
        if ((frames[0]?.[0] === 8 && frames.length === 2) || token.endsWith(':4000-4005'))
          throw new DependencyError('clickhouse', 'rejected', 'a row is bad', { retryable: false });
        taken.push(token);
      },
      async (records) => void letters.push(...records.map(({ key }) => String(key))),
    );
    const ended = run(cut);
    await clock.advance(1_000);
    await ended;
    const token = 'otel_logs:rows:0:0-9';
    expect(taken.toSorted()).toEqual([token, `${token}:lane-8`, `${token}:lane-9`]);
    const part = partNumber({ table: 'otel_logs', lane: 8 });
    expect([...refused.keys()]).toEqual([part]);
    expect(letters).toEqual(['rows/0/4/0']);
    // Who repeats the cut with what was recorded does not try the refused rows again, and writes the same letter.
    const again = setUp(
      async ({ token: tried }) => void taken.push(tried),
      async (records) => void letters.push(...records.map(({ key }) => String(key))),
    );
    const repeated = again.run({ ...cut, refused });
    await again.clock.advance(1_000);
    await repeated;
    expect(taken.slice(3).toSorted()).toEqual(taken.slice(0, 3).toSorted());
    expect(letters).toEqual(['rows/0/4/0', 'rows/0/4/0']);
  });

  test('are never more at once than inserts may be under way', async () => {
    let under = 0;
    let most = 0;
    const lanes = Array.from({ length: 20 }, (_, at) => entry(at, LIMITS.laneRowsMin, at + 1));
    const { clock, run } = setUp(async () => {
      most = Math.max(most, ++under);
      await clock.sleep(10);
      under--;
    });
    const ended = run(cutOf([batchOf(lanes)], true));
    await clock.advance(1_000);
    await ended;
    expect(most).toBe(LIMITS.insertsMax);
  });
});

test('what is refused of one partition in a cut of several is its own letter, and the rows of the others go in', async () => {
  const letters: string[] = [];
  const taken: string[] = [];
  const { clock, run } = setUp(
    async ({ token, frames }) => {
      if (frames.some((frame) => frame[0] === 7))
        throw new DependencyError('clickhouse', 'rejected', 'a row is bad', { retryable: false });
      taken.push(`${token}: ${frames.map((frame) => frame[0]).join(' ')}`);
    },
    async (records) => void letters.push(...records.map(({ key }) => String(key))),
  );
  const bad = { ...entry(4, 1), value: Buffer.of(7) };
  const ended = run(cutOf([batchOf([entry(0, 1)], 3), batchOf([bad, entry(5, 2)], 1), batchOf([entry(0, 1)], 2)]));
  await clock.advance(1_000);
  await ended;
  expect(letters).toEqual(['rows/1/4/0']);
  const token = 'otel_logs:rows:3:0-9';
  expect(taken.toSorted()).toEqual([`${token}: 0`, `${token}:2-5: 0 0`]);
});
