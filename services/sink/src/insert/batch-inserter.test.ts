import type { CutLedger, Log } from '@weir/delivery';
import { DependencyError } from '@weir/pipeline';
import type { RowsMeta } from '@weir/records';
import { FakeClock } from '@weir/testkit';
import { expect, test } from 'vitest';
import type { Batch, RowsEntry } from '../batches.ts';
import { BatchInserter } from './batch-inserter.ts';

const NO_LETTERS = new DependencyError('kafka', 'rejected', 'no', { retryable: false });

function entry(offset: number, rows: number): RowsEntry {
  const section = { lane: 0, table: 'otel_logs', rows, blockBytes: 1, start: 0, end: 1 } as const;
  const meta = { sections: [section], oldestReceivedAtNs: 1n } as unknown as RowsMeta;
  return { offset, value: Buffer.of(1), meta, rows, blockBytes: 1 } as Partial<RowsEntry> as RowsEntry;
}

const POISON = { reason: 'corrupt_record', message: 'no record' } as const;

function batchOf(entries: readonly RowsEntry[]): Batch {
  const fixed = { partition: 0, first: 0, last: 9, bytes: 1, rows: 1, refused: new Map() };
  return { ...fixed, entries } as Partial<Batch> as Batch;
}

function setUp(insert: () => Promise<void>) {
  const clock = new FakeClock();
  const told: string[] = [];
  const log: Pick<Log, 'append'> = {
    append: async () => {
      throw NO_LETTERS;
    },
  };
  const inserter = new BatchInserter({ insertBlocks: insert }, log as Log, 'rows', clock, {
    inserted: () => void told.push('inserted'),
    failed: (_table, error) => void told.push(`failed: ${error.code}`),
    refused: () => void told.push('refused'),
    passedOverView: () => void told.push('view'),
    deadLettered: (reason) => void told.push(reason),
  });
  const ledger = { confirm: async () => undefined, refuse: async () => undefined } as Partial<CutLedger> as CutLedger;
  return { clock, told, run: (batch: Batch) => inserter.insert(batch, ledger, new AbortController().signal) };
}

test('when a letter cannot be written the inserts of the batch end too: whoever takes it up again is alone with it', async () => {
  let tries = 0;
  const { clock, run } = setUp(async () => {
    tries++;
    throw new DependencyError('clickhouse', 'unavailable', 'down', { retryable: true });
  });
  const poison = { ...entry(1, 0), meta: undefined, poison: POISON };
  const ended = expect(run(batchOf([entry(0, 5), poison]))).rejects.toBe(NO_LETTERS);
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
  const ended = expect(run(batchOf([entry(0, 1)]))).rejects.toBe(NO_LETTERS);
  await clock.advance(0);
  await ended;
  expect(new Set(told)).toEqual(new Set(['refused']));
});
