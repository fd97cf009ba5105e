import type { LogPage, LogRecord } from '@weir/delivery';
import type { Clock } from '@weir/pipeline';
import { DependencyError } from '@weir/pipeline';
import { batchExpansion, openedBatches, sawPlainPage } from './batch-zstd.ts';
import type { KafkaConnection } from './connection.ts';
import { type KafkaFetchedMessage, type KafkaFetchedPartition, READ_COMMITTED } from './internals.ts';

/** The header that every record of ours has. */
export const META_HEADER = 'weir';

interface Waiting {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly maxBytes: number;
  readonly untilMs: number;
  readonly signal: AbortSignal;
  resolve(page: LogPage): void;
  reject(error: unknown): void;
}

/** One long poll lasts at most this long, so that a read that comes meanwhile waits no longer. */
const POLL_MS = 100;
const RESPONSE_BYTES_MAX = 16 * 1024 ** 2;
const READ_BYTES_MIN = 64 * 1024;

/**
 * Reads of many partitions through one connection: whatever waits for a broker goes into one fetch. A read whose
 * partition had nothing is asked again until its own time is over.
 */
export class Fetcher {
  readonly #connection: KafkaConnection;
  readonly #clock: Clock;
  readonly #waiting = new Map<string, Waiting[]>();
  readonly #busy = new Set<string>();

  constructor(connection: KafkaConnection, clock: Clock) {
    this.#connection = connection;
    this.#clock = clock;
  }

  async read(
    topic: string,
    partition: number,
    offset: number,
    options: { readonly maxBytes: number; readonly maxWaitMs: number },
    signal: AbortSignal,
  ): Promise<LogPage> {
    signal.throwIfAborted();
    const nodeId = await this.#connection.leaderOf(topic, partition);
    const untilMs = this.#clock.nowMs() + options.maxWaitMs;
    return new Promise<LogPage>((resolve, reject) => {
      this.#enqueue(nodeId, { topic, partition, offset, maxBytes: options.maxBytes, untilMs, signal, resolve, reject });
    });
  }

  #enqueue(nodeId: string, read: Waiting): void {
    const queue = this.#waiting.get(nodeId);
    if (queue === undefined) this.#waiting.set(nodeId, [read]);
    else queue.push(read);
    if (this.#busy.has(nodeId)) return;
    this.#busy.add(nodeId);
    // A turn of the loop lets reads that are asked for together travel together.
    setImmediate(() => void this.#drain(nodeId));
  }

  async #drain(nodeId: string): Promise<void> {
    for (;;) {
      const reads = this.#waiting.get(nodeId) ?? [];
      this.#waiting.delete(nodeId);
      const now = new Map<string, Waiting>();
      const later: Waiting[] = [];
      for (const read of reads) {
        if (abandoned(read)) continue;
        const key = keyOf(read.topic, read.partition);
        // A fetch has one offset for each partition: a second reader of it waits for the next one.
        if (now.has(key)) later.push(read);
        else now.set(key, read);
      }
      if (now.size === 0) break;
      if (later.length > 0) this.#waiting.set(nodeId, later);
      await this.#fetch(nodeId, [...now.values()]);
    }
    this.#busy.delete(nodeId);
    if (this.#waiting.has(nodeId) && !this.#busy.has(nodeId)) {
      this.#busy.add(nodeId);
      void this.#drain(nodeId);
    }
  }

  async #fetch(nodeId: string, reads: readonly Waiting[]): Promise<void> {
    try {
      const pages = await this.#request(nodeId, reads);
      for (const read of reads) this.#settle(nodeId, read, pages.get(keyOf(read.topic, read.partition)));
    } catch (error) {
      // One partition's error fails the whole answer: ask for each alone to find out whose it is. Where the broker did not
      // answer at all that would only make the last reader wait for all others.
      if (reads.length > 1 && isAnswer(error)) for (const read of reads) await this.#fetch(nodeId, [read]);
      else for (const read of reads) read.reject(error);
    }
  }

  #settle(nodeId: string, read: Waiting, page: KafkaFetchedPartition | undefined): void {
    if (page === undefined) {
      read.reject(
        new DependencyError('kafka', 'unavailable', 'kafka: the answer lacks a partition', { retryable: true }),
      );
      return;
    }
    const made = toPage(page, read.offset);
    if (made.records.length > 0 || this.#clock.nowMs() >= read.untilMs) read.resolve(made);
    else if (!abandoned(read)) this.#enqueue(nodeId, { ...read, offset: made.nextOffset });
  }

  async #request(nodeId: string, reads: readonly Waiting[]): Promise<Map<string, KafkaFetchedPartition>> {
    const now = this.#clock.nowMs();
    const waitMs = Math.min(POLL_MS, ...reads.map((read) => read.untilMs - now));
    // What is asked for is counted as it is stored; what counts for the reader is what it becomes.
    const shrunk = (bytes: number) => Math.min(bytes, Math.max(READ_BYTES_MIN, Math.floor(bytes / batchExpansion())));
    const openedBefore = openedBatches();
    const response = await this.#connection.at(nodeId, (broker) =>
      broker.fetch({
        isolationLevel: READ_COMMITTED,
        maxWaitTime: Math.max(0, Math.floor(waitMs)),
        minBytes: 1,
        maxBytes: RESPONSE_BYTES_MAX,
        topics: reads.map(({ topic, partition, offset, maxBytes }) => ({
          topic,
          partitions: [{ partition, fetchOffset: String(offset), maxBytes: shrunk(maxBytes) }],
        })),
      }),
    );
    const pages = new Map<string, KafkaFetchedPartition>();
    for (const { topicName, partitions } of response.responses) {
      for (const page of partitions) pages.set(keyOf(topicName, page.partition), page);
    }
    const isPlain = openedBatches() === openedBefore;
    if (isPlain && [...pages.values()].some(({ messages }) => messages.length > 0)) sawPlainPage();
    return pages;
  }
}

/** Whether the broker said what is wrong, by one of Kafka's error codes. */
function isAnswer(error: unknown): boolean {
  const cause = error instanceof DependencyError ? (error.cause as { code?: unknown } | undefined) : undefined;
  return typeof cause?.code === 'number';
}

function abandoned(read: Waiting): boolean {
  if (!read.signal.aborted) return false;
  read.reject(read.signal.reason);
  return true;
}

function keyOf(topic: string, partition: number): string {
  return `${topic}/${partition}`;
}

function toPage(page: KafkaFetchedPartition, offset: number): LogPage {
  const records: LogRecord[] = [];
  let nextOffset = offset;
  for (const message of page.messages) {
    const at = Number(message.offset);
    if (at < offset) continue;
    nextOffset = at + 1;
    if (message.isControlRecord === true) continue;
    records.push({
      offset: at,
      timestampMs: Number(message.timestamp),
      key: message.key,
      value: message.value,
      meta: message.headers?.[META_HEADER] ?? null,
    });
  }
  return {
    records,
    nextOffset: Math.max(nextOffset, batchEnd(page.messages.at(-1))),
    startOffset: Math.max(0, Number(page.lastStartOffset ?? 0)),
    endOffset: Number(page.highWatermark),
  };
}

/**
 * One past the last offset of a record's batch. Compaction may have taken the records at the end of it: Kafka answers a read there
 * with the same batch, again and again.
 */
function batchEnd(message: KafkaFetchedMessage | undefined): number {
  const batch = message?.batchContext;
  return batch === undefined ? 0 : Number(batch.firstOffset) + batch.lastOffsetDelta + 1;
}
