import { DependencyError, heardClock } from '@weir/pipeline';
import { decodeRowsMeta } from '@weir/records';
import { FakeClock } from '@weir/testkit';
import { expect, test } from 'vitest';
import type { CommitMetadata } from './commit-metadata.ts';
import type { Log, LogRecord } from './log.ts';
import { RowsReader } from './rows-reader.ts';
import { RowsWriter } from './rows-writer.ts';
import { takeOver } from './take-over.ts';

test('a take-over that fails again and again gives signs of life, and ends with its session', async () => {
  const clock = new FakeClock();
  let aliveMs = -1;
  const heard = heardClock(clock, () => {
    aliveMs = clock.nowMs();
  });
  const bounds: Log['bounds'] = async () => {
    throw new DependencyError('kafka', 'unavailable', 'no leader', { retryable: true });
  };
  const session = new AbortController();
  const rows = { log: { bounds } as Partial<Log> as Log, clock: heard, topic: 't', partition: 0 };
  const taken = takeOver(rows, '0'.repeat(16), null, session.signal);
  const ended = expect(taken).rejects.toThrow('over');
  for (let i = 0; i < 301; i++) await clock.advance(1_000);
  expect(clock.nowMs() - aliveMs).toBeLessThan(1_000);
  session.abort(new Error('over'));
  await clock.advance(1_000);
  await ended;
});

/** A partition of which Kafka has let go of all, as much as it was. */
function emptied(end: number): { readonly log: Log; readonly records: LogRecord[] } {
  const records: LogRecord[] = [];
  const endOffset = () => end + records.length;
  const log: Log = {
    bounds: async () => ({ start: end, end: endOffset() }),
    read: async (_topic, _partition, offset) => {
      const found = records.filter((record) => record.offset >= offset);
      return { records: found, nextOffset: Math.max(offset, endOffset()), startOffset: end, endOffset: endOffset() };
    },
    append: async (_topic, _partition, added) => {
      const first = endOffset();
      for (const record of added) records.push({ ...record, offset: endOffset(), timestampMs: 0 });
      return first;
    },
  };
  return { log, records };
}

const FORMER = 'f'.repeat(16);
const BEFORE: CommitMetadata = { mark: 3, state: { epoch: 5, owner: FORMER, rawLast: 3 } };

test.each([
  ['nothing is committed', null],
  ['the commit knows of fewer take-overs', BEFORE],
])(
  'an epoch never falls where Kafka has let go of all fences and %s: who reads the partition remembers them',
  async (_what, checkpoint) => {
    const { signal } = new AbortController();
    const { log, records } = emptied(9);
    const rows = { log, clock: new FakeClock(), topic: 'rows', partition: 0 };
    const ownership = await takeOver(rows, 'a'.repeat(16), checkpoint, signal);
    const content = { rawFirst: 4, rawLast: 8, oldestReceivedAtNs: 0n, sections: [], marks: [] };
    await new RowsWriter(rows, ownership).append(content, Buffer.alloc(0), signal);
    // Nine records can have held nine fences.
    const sink = new RowsReader({ epoch: 9, owner: FORMER, rawLast: 3 });
    const taken = records.map(({ meta }) => {
      const decoded = decodeRowsMeta(meta, 0);
      return decoded.ok && sink.takes(decoded.value);
    });
    expect(taken).toEqual([false, true]);
  },
);

test('an epoch is above that of the commit where the log tells of fewer', async () => {
  const { signal } = new AbortController();
  const { log } = emptied(9);
  const rows = { log, clock: new FakeClock(), topic: 'rows', partition: 0 };
  const checkpoint: CommitMetadata = { mark: 8, state: { epoch: 15, owner: FORMER, rawLast: 3 } };
  expect((await takeOver(rows, 'a'.repeat(16), checkpoint, signal)).epoch).toBe(16);
});

test('a log that ends before what was committed of it is refused, and nothing is appended: it would stand where others stood', async () => {
  const { signal } = new AbortController();
  const { log, records } = emptied(9);
  const rows = { log, clock: new FakeClock(), topic: 'rows', partition: 0 };
  const checkpoint: CommitMetadata = { mark: 9, state: { epoch: 5, owner: FORMER, rawLast: 3 } };
  await expect(takeOver(rows, 'a'.repeat(16), checkpoint, signal)).rejects.toThrow('rows/0 ends at 9, but reached 10');
  expect(records).toEqual([]);
});
