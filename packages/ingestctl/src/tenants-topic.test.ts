import type { LogRecord } from '@weir/delivery';
import type { KafkaLog } from '@weir/kafka';
import { encodeTenantValue } from '@weir/records';
import { expect, test } from 'vitest';
import { readDirectory } from './tenants-topic.ts';

const NEVER = new AbortController().signal;

/** The topic as these records, by offset; at an offset of `gaps` nothing is read. */
function logOf(names: ReadonlyMap<number, string>, end: number, gaps: ReadonlySet<number>): KafkaLog {
  const records = [...names].map(
    ([offset, name]): LogRecord => ({
      offset,
      timestampMs: 0,
      key: Buffer.from(name),
      value: encodeTenantValue({ keys: [] }),
      meta: null,
    }),
  );
  const part: Pick<KafkaLog, 'bounds' | 'read'> = {
    bounds: async () => ({ start: 0, end }),
    read: async (_topic, _partition, offset) => {
      const next = gaps.has(offset) ? undefined : records.find((record) => record.offset >= offset);
      const nextOffset = next === undefined ? offset : next.offset + 1;
      return { records: next === undefined ? [] : [next], nextOffset, startOffset: 0, endOffset: end };
    },
  };
  return part as KafkaLog;
}

test('tenants behind a place where compaction has left nothing are read', async () => {
  const names = new Map([
    [0, 'acme'],
    [4, 'globex'],
  ]);
  const directory = await readDirectory(logOf(names, 5, new Set([1, 2])), NEVER);
  expect(directory.names()).toEqual(['acme', 'globex']);
});

test('the topic ends where it ends, though its last records are gone', async () => {
  const directory = await readDirectory(logOf(new Map([[0, 'acme']]), 4, new Set()), NEVER);
  expect(directory.names()).toEqual(['acme']);
});
