import { INITIAL_STATE, type Log } from '@weir/delivery';
import { encodeRowsMeta, type Fence, type RowsMeta } from '@weir/records';
import { expect, test } from 'vitest';
import { PartitionBuffer } from '../batch/partition-buffer.ts';
import { HeldAnswers } from './held-answers.ts';
import { RowsSource } from './rows-source.ts';

const { signal } = new AbortController();
const OWNER = 'a'.repeat(16);
const MIB = 1024 ** 2;
const BOUNDS = { ageMsMax: 1_000, bytesMax: 2 * MIB, rowsMax: 1e9, blockBytesMax: 1e12 };
const MARKS = Array.from({ length: 1_000 }, (_, at) => ({
  edge: at.toString(16).padStart(16, '0'),
  seq: at,
  seenMs: at,
}));

function rows(offset: number): RowsMeta {
  const content = { rawFirst: offset, rawLast: offset, oldestReceivedAtNs: 0n, sections: [], marks: MARKS };
  return { kind: 'rows', epoch: 1, owner: OWNER, ...content };
}

/** A partition that never ends, ten records a read. */
function sourceOf(metaAt: (offset: number) => Fence | RowsMeta): RowsSource {
  const read: Log['read'] = async (_topic, _partition, from) => {
    const records = Array.from({ length: 10 }, (_, at) => from + at).map((offset) => {
      return { offset, timestampMs: 0, key: null, value: Buffer.of(1), meta: encodeRowsMeta(metaAt(offset)) };
    });
    return { records, nextOffset: from + 10, startOffset: 0, endOffset: 1e9 };
  };
  return new RowsSource(
    { log: { read } as Partial<Log> as Log, answers: new HeldAnswers(), topic: 'rows' },
    0,
    0,
    INITIAL_STATE,
  );
}

const FENCE = (epoch: number): Fence => ({ kind: 'fence', epoch: epoch + 1, owner: OWNER });

test.each([
  ['that do not count', FENCE, 2_030],
  ['of a few bytes that name a thousand edges', rows, 85],
])('records %s fill a buffer by what they hold in memory', async (_what, metaAt, most) => {
  const source = sourceOf(metaAt);
  const buffer = new PartitionBuffer({ partition: 0, first: 0, state: INITIAL_STATE, term: 0 }, BOUNDS);
  let count = 0;
  while (!buffer.isFull && count < 10_000) {
    const { entries } = await source.read({ maxBytes: MIB, maxWaitMs: 1 }, signal);
    for (const entry of entries) buffer.push(entry, 0);
    count += entries.length;
  }
  expect(count).toBeLessThan(most + 20);
  expect(count).toBeGreaterThan(most - 20);
});

test('what a sink holds of a record has no marks, which it has no use for', async () => {
  const { entries } = await sourceOf(rows).read({ maxBytes: MIB, maxWaitMs: 1 }, signal);
  expect(entries.map(({ meta }) => meta?.marks)).toEqual(Array.from({ length: 10 }, () => []));
});
