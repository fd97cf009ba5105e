import { encodeProgress, progressKey } from '@weir/records';
import { expect, test } from 'vitest';
import { encodeCommitMetadata } from './commit-metadata.ts';
import type { Committed, Log } from './log.ts';
import { ProgressLog, sinkPosition } from './progress-log.ts';
import { INITIAL_STATE } from './rows-reader.ts';

const at = (offset: number, term: number, marks?: string) => ({
  offset,
  metadata: encodeCommitMetadata({
    mark: offset + 9,
    state: INITIAL_STATE,
    term,
    refused: new Map(marks === undefined ? [] : [[0, marks]]),
  }),
});

test('what a former owner recorded too late is nothing against what the next one did', () => {
  const [late, acted] = [at(10, 3, 'c'), at(10, 4)];
  expect(sinkPosition(acted, late)).toBe(acted);
  expect(sinkPosition(late, acted)).toBe(acted);
});

test('of one owner that is believed which says more of the cut, and the further position before all', () => {
  expect(sinkPosition(at(10, 3), at(10, 3, '8'))).toEqual(at(10, 3, '8'));
  expect(sinkPosition(at(10, 3, 'a0'), at(10, 3, '8'))).toEqual(at(10, 3, 'a0'));
  expect(sinkPosition(at(11, 3), at(10, 4, 'f'))).toEqual(at(11, 3));
});

test("an offset that is an operator's says nothing beside one of ours", () => {
  expect(sinkPosition({ offset: 99, metadata: '' }, at(10, 1))).toEqual(at(10, 1));
});

/** A log of weir.progress that gives nothing at some reads. */
function logOf(positions: readonly Committed[], empty: (read: number) => boolean): Log {
  let reads = 0;
  const records = positions.map((position, offset) => ({
    offset,
    timestampMs: 0,
    key: Buffer.from(progressKey('rows', 0)),
    value: encodeProgress(position),
    meta: null,
  }));
  const read: Log['read'] = async (_topic, _partition, offset) => {
    const found = empty(reads++) ? [] : records.slice(offset, offset + 1);
    return { records: found, nextOffset: offset + found.length, startOffset: 0, endOffset: records.length };
  };
  return { read, bounds: async () => ({ start: 0, end: records.length }) } as Partial<Log> as Log;
}

test('a page without anything is not the end of it', async () => {
  const { signal } = new AbortController();
  const positions = [at(10, 1), at(20, 1), at(30, 1)];
  const read = (empty: (read: number) => boolean) =>
    new ProgressLog(logOf(positions, empty), 'rows').read([0, 1], signal);
  expect(await read((count) => count % 3 === 1)).toEqual(new Map([[0, at(30, 1)]]));
  await expect(read((count) => count > 0)).rejects.toMatchObject({ code: 'timeout', retryable: true });
});

test('of what was recorded before all is told that compaction has left, the furthest first', async () => {
  const { signal } = new AbortController();
  const positions = [at(10, 1), at(30, 1), at(20, 1)];
  const found = await new ProgressLog(
    logOf(positions, () => false),
    'rows',
  ).history([0, 1], signal);
  expect(found).toEqual(
    new Map([
      [0, [at(30, 1), at(20, 1), at(10, 1)]],
      [1, []],
    ]),
  );
});
