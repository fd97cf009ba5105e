import type { LogRecord } from '@weir/delivery';
import type { KafkaLog } from '@weir/kafka';
import { encodeNote, encodeRawMeta } from '@weir/records';
import { expect, test } from 'vitest';
import { timeText } from '../times.ts';
import type { ReplayFilter } from './plan.ts';
import { survey } from './survey.ts';
import { readWindow } from './window.ts';

const NEVER = new AbortController().signal;
const EDGE = 'aaaaaaaaaaaaaaaa';
const UNPACED = { onRead: () => undefined, pacer: { take: async () => undefined } };
const ALL: ReplayFilter = { tenants: [], signals: [] };
const BASE_MS = Date.UTC(2026, 0, 31, 12);
const at = (second: number) => timeText(BigInt(BASE_MS + second * 1_000) * 1_000_000n);

/** Received at a second, appended one later. */
function raw(offset: number, second: number, tenant = 'a', items = 2): LogRecord {
  const about = { signal: 'logs', encoding: 'identity', priority: false } as const;
  const receivedAtNs = BigInt(BASE_MS + second * 1_000) * 1_000_000n;
  const meta = encodeRawMeta({ ...about, tenant, items, bytes: 10, receivedAtNs, edge: EDGE, seq: offset });
  return { offset, timestampMs: BASE_MS + second * 1_000 + 1_000, key: null, value: Buffer.of(1), meta };
}

function note(offset: number): LogRecord {
  const { meta, value } = encodeNote({ edge: EDGE, seq: offset, settled: [], doubtful: [] });
  return { offset, timestampMs: BASE_MS, key: null, value, meta };
}

function logOf(records: readonly LogRecord[]): KafkaLog {
  const end = (records.at(-1)?.offset ?? -1) + 1;
  return {
    bounds: async () => ({ start: records[0]?.offset ?? 0, end }),
    offsetAt: async (_topic: string, _partition: number, timeMs: number) =>
      records.find(({ timestampMs }) => timestampMs >= timeMs)?.offset ?? end,
    read: async (_topic: string, _partition: number, offset: number) => {
      const page = records.filter((record) => record.offset >= offset).slice(0, 3);
      return { records: page, nextOffset: (page.at(-1)?.offset ?? offset) + 1, startOffset: 0, endOffset: end };
    },
  } as unknown as KafkaLog;
}

const planOf = async (log: KafkaLog, from: string, to: string, filter = ALL) => {
  const surveyed = await survey(log, 'v1', 0, readWindow(from, to, 0n), filter, UNPACED, NEVER);
  return typeof surveyed === 'object' ? surveyed.plan : surveyed;
};

test('a window of times is the smallest range that holds all that was received in it, whatever the order', async () => {
  // 3 came late, 6 and 7 were received outside of the window, 7 behind its last.
  const log = logOf([
    raw(0, 0),
    raw(1, 10),
    raw(2, 20),
    raw(3, 12, 'b'),
    note(4),
    raw(5, 30),
    raw(6, 45),
    raw(7, 31),
    raw(8, 50),
  ]);
  expect(await planOf(log, at(12), at(31))).toEqual({
    partition: 0,
    first: 2,
    last: 7,
    firstAt: at(20),
    lastAt: at(31),
    records: 5,
    items: 10,
    bytes: 50,
    others: 1,
    itemsByTenant: { a: 8, b: 2 },
  });
  expect(await planOf(log, at(12), at(31), { tenants: ['b'], signals: [] })).toMatchObject({
    first: 2,
    last: 7,
    records: 1,
    itemsByTenant: { b: 2 },
  });
  expect(await planOf(log, at(51), at(60))).toBeUndefined();
});

test('offsets are both inclusive', async () => {
  const log = logOf([raw(5, 0), raw(6, 1), note(7), raw(8, 3), raw(9, 4)]);
  expect(await planOf(log, '6', '8')).toMatchObject({ first: 6, last: 8, records: 2, others: 1 });
  expect(await planOf(log, '6', '6')).toMatchObject({ first: 6, last: 6, records: 1 });
});

test('what is not retained any more, or not there yet, is refused with the offset that is', async () => {
  const log = logOf([raw(5, 100), raw(6, 200)]);
  await expect(planOf(log, '4', '6')).rejects.toThrow('offset 4 is before the oldest retained one, 5');
  await expect(planOf(log, '5', '7')).rejects.toThrow('offset 7 is past the end; the newest is 6');
  await expect(planOf(log, at(99), at(200))).rejects.toThrow(
    `before the oldest retained record, offset 5, received at ${at(100)}`,
  );
  expect(await planOf(log, at(100), at(200))).toMatchObject({ first: 5, last: 6 });
  // Nothing was ever before offset 0.
  expect(await planOf(logOf([raw(0, 100)]), at(0), at(200))).toMatchObject({ first: 0, last: 0 });
});

test('a window that ends before the oldest retained record is refused with its time, though its range is empty', async () => {
  const log = logOf([note(5), raw(6, 1_000), raw(7, 2_000)]);
  await expect(planOf(log, at(0), at(100))).rejects.toThrow(
    `partition 0: the window ends before the oldest retained record, offset 6, received at ${at(1_000)}`,
  );
  // Nothing was ever before offset 0: the window is empty there.
  expect(await planOf(logOf([raw(0, 1_000)]), at(0), at(100))).toBeUndefined();
});

test('a partition of which Kafka has let go of everything is told from one that never had anything', async () => {
  const emptied = { ...logOf([]), bounds: async () => ({ start: 9, end: 9 }), offsetAt: async () => 9 } as KafkaLog;
  expect(await planOf(emptied, at(0), at(100))).toBe('emptied');
  expect(await planOf(logOf([]), at(0), at(100))).toBeUndefined();
});
