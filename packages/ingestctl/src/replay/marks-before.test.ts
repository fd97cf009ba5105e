import type { Log, LogRecord } from '@weir/delivery';
import { encodeRawMeta, encodeRowsMeta } from '@weir/records';
import { expect, test } from 'vitest';
import { marksBefore } from './marks-before.ts';

const NEVER = new AbortController().signal;
const [A, B] = ['aaaaaaaaaaaaaaaa', 'bbbbbbbbbbbbbbbb'];
const OWNER = '0123456789abcdef';
const EMPTY = Buffer.alloc(0);

function raw(offset: number, edge: string, seq: number): LogRecord {
  const about = { tenant: 'a', signal: 'logs', encoding: 'identity', priority: false } as const;
  const meta = encodeRawMeta({ ...about, items: 1, bytes: 1, receivedAtNs: 1n, edge, seq });
  return { offset, timestampMs: offset, key: null, value: EMPTY, meta };
}

function rows(offset: number, rawLast: number, marks: Record<string, number>): LogRecord {
  const list = Object.entries(marks).map(([edge, seq]) => ({ edge, seq, seenMs: 1 }));
  const range = { rawFirst: rawLast, rawLast, oldestReceivedAtNs: 1n, sections: [], marks: list };
  const meta = encodeRowsMeta({ kind: 'rows', epoch: 1, owner: OWNER, ...range });
  return { offset, timestampMs: 0, key: null, value: EMPTY, meta };
}

const fence = (offset: number, epoch: number): LogRecord => ({
  offset,
  timestampMs: 0,
  key: null,
  value: null,
  meta: encodeRowsMeta({ kind: 'fence', epoch, owner: OWNER }),
});

/** A log of two topics that counts the raw records which are read. */
function logOf(topics: Record<string, readonly LogRecord[]>) {
  const read: number[] = [];
  const log: Pick<Log, 'read' | 'bounds'> = {
    bounds: async (topic) => {
      const records = topics[topic] ?? [];
      return { start: records[0]?.offset ?? 0, end: (records.at(-1)?.offset ?? -1) + 1 };
    },
    read: async (topic, _, offset) => {
      const records = (topics[topic] ?? []).filter((record) => record.offset >= offset).slice(0, 2);
      if (topic.includes('raw')) read.push(...records.map((record) => record.offset));
      const nextOffset = (records.at(-1)?.offset ?? offset - 1) + 1;
      return { records, nextOffset, startOffset: 0, endOffset: 1_000 };
    },
  };
  return { log: log as Log, read };
}

test('marks are those of a rows record that ends before the window, carried on over what lies between', async () => {
  const written = Array.from({ length: 50 }, (_, at) => rows(2 * at + 1, 10 * at + 9, { [A]: 10 * at + 9 }));
  const fences = Array.from({ length: 50 }, (_, at) => fence(2 * at, 1));
  const ordered = [...written, ...fences].sort((a, b) => a.offset - b.offset);
  const { log, read } = logOf({
    'weir.rows.v1': ordered,
    'weir.raw.v1': Array.from({ length: 500 }, (_, at) => (at === 404 ? raw(at, B, 7) : raw(at, A, at))),
  });
  const marks = (await marksBefore(log, 'v1', 0, 405, NEVER)).snapshot();
  expect(Object.fromEntries(marks.map(({ edge, seq }) => [edge, seq]))).toEqual({ [A]: 403, [B]: 7 });
  expect(Math.min(...read)).toBe(400);
});

test('where the rows log has nothing left they begin at the oldest raw record', async () => {
  const { log } = logOf({ 'weir.rows.v1': [], 'weir.raw.v1': [raw(20, A, 3), raw(21, B, 5), raw(22, A, 4)] });
  const marks = (await marksBefore(log, 'v1', 0, 22, NEVER)).snapshot();
  expect(marks.map(({ edge, seq }) => [edge, seq])).toEqual([
    [A, 3],
    [B, 5],
  ]);
});

test('before the first record nothing is remembered', async () => {
  const { log } = logOf({ 'weir.rows.v1': [rows(0, 3, { [A]: 3 })], 'weir.raw.v1': [raw(0, A, 0)] });
  expect((await marksBefore(log, 'v1', 0, 0, NEVER)).snapshot()).toEqual([]);
});
