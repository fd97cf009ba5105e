import { createRequire } from 'node:module';
import { FakeClock } from '@weir/testkit';
import { expect, test } from 'vitest';
import type { KafkaConnection } from './connection.ts';
import { Fetcher } from './fetcher.ts';
import type { KafkaFetchedMessage } from './internals.ts';

interface Encoded {
  readonly buffer: Buffer;
}

const require = createRequire(import.meta.url);
const encodeRecord = require('kafkajs/src/protocol/recordBatch/record/v0') as (record: object) => Encoded;
const { RecordBatch: encodeBatch } = require('kafkajs/src/protocol/recordBatch/v0') as {
  RecordBatch: (batch: object) => Promise<Encoded>;
};
const Decoder = require('kafkajs/src/protocol/decoder') as new (buffer: Buffer) => object;
const decodeMessages = require('kafkajs/src/protocol/requests/fetch/v4/decodeMessages') as (
  decoder: object,
) => Promise<KafkaFetchedMessage[]>;

const NEVER = new AbortController().signal;
const READ = { maxBytes: 1_000, maxWaitMs: 0 };

/** A batch as Kafka leaves it after compaction: records at some of its offsets, and the last offset that it ever had. */
async function batchOf(first: number, offsets: readonly number[], last: number): Promise<Buffer> {
  const records = offsets.map((offset) =>
    encodeRecord({ offsetDelta: offset - first, timestampDelta: 0, key: `${offset}`, value: 'v', headers: {} }),
  );
  const { buffer } = await encodeBatch({ firstOffset: first, lastOffsetDelta: last - first, records });
  return buffer;
}

/** A broker that answers as Kafka does: from the batch on whose last offset is not below the one asked for. */
function fetcherOf(
  batches: ReadonlyMap<number, Buffer>,
  end: number,
  perAnswer = 1,
): { fetcher: Fetcher; asked: number[] } {
  const asked: number[] = [];
  const broker = {
    fetch: async ({ topics: [of] }: { topics: { topic: string; partitions: { fetchOffset: string }[] }[] }) => {
      const offset = Number(of!.partitions[0]!.fetchOffset);
      asked.push(offset);
      const bytes = Buffer.concat(
        [...batches]
          .filter(([last]) => last >= offset)
          .slice(0, perAnswer)
          .map(([, batch]) => batch),
      );
      const sized = Buffer.concat([Buffer.alloc(4), bytes]);
      sized.writeInt32BE(bytes.length);
      const messages = await decodeMessages(new Decoder(sized));
      const partition = { partition: 0, highWatermark: String(end), messages };
      return { responses: [{ topicName: of!.topic, partitions: [partition] }] };
    },
  };
  const connection = {
    leaderOf: async () => '1',
    at: async (_node: string, ask: (to: typeof broker) => unknown) => ask(broker),
  };
  return { fetcher: new Fetcher(connection as unknown as KafkaConnection, new FakeClock()), asked };
}

test('a page goes on behind the last batch, though compaction took its last records', async () => {
  const { fetcher } = fetcherOf(new Map([[9, await batchOf(0, [0, 3], 9)]]), 20);
  const page = await fetcher.read('t', 0, 0, READ, NEVER);
  expect([page.records.map(({ offset }) => offset), page.nextOffset]).toEqual([[0, 3], 10]);
});

test('a read of offsets that compaction took goes on behind their batch, and finds what comes there', async () => {
  const batches = new Map([
    [9, await batchOf(0, [0, 3], 9)],
    [12, await batchOf(10, [11], 12)],
  ]);
  const { fetcher, asked } = fetcherOf(batches, 13);
  const empty = await fetcher.read('t', 0, 4, READ, NEVER);
  expect([empty.records, empty.nextOffset]).toEqual([[], 10]);
  const page = await fetcher.read('t', 0, 4, { ...READ, maxWaitMs: 500 }, NEVER);
  expect([page.records.map(({ offset }) => offset), page.nextOffset]).toEqual([[11], 13]);
  expect(asked).toEqual([4, 4, 10]);
});

test('a page ends behind its last batch, not behind one that came in part', async () => {
  const whole = await batchOf(0, [0, 1], 1);
  const part = (await batchOf(2, [2, 3], 3)).subarray(0, -5);
  const batches = new Map([
    [1, whole],
    [3, part],
  ]);
  const { fetcher } = fetcherOf(batches, 4, 2);
  const page = await fetcher.read('t', 0, 0, READ, NEVER);
  expect([page.records.length, page.nextOffset]).toEqual([2, 2]);
});
