import { appendUntilAcked, type Log } from '@weir/delivery';
import { type Clock, faultPoint } from '@weir/pipeline';
import { CONTROL_TOPICS, type DlqMeta, dlqKey, encodeDlqMeta } from '@weir/records';
import type { BatchCut } from '../batches.ts';
import { LIMITS } from '../limits.ts';
import type { DeadRows } from './dead-rows.ts';

/** What is told of letters. */
export interface LetterEvents {
  deadLettered(reason: DlqMeta['reason']): void;
}

interface Letter {
  readonly meta: DlqMeta;
  readonly value: Buffer;
}

const DLQ_PARTITION = 0;
const WHY_CHARS_MAX = 500;

/** Writes to weir.dlq. Letters of the same source have the same key, so copies that a crash leaves behind can be told. */
export class DeadLetters {
  readonly #log: Log;
  readonly #topic: string;
  readonly #clock: Clock;
  readonly #events: LetterEvents;

  constructor(log: Log, topic: string, clock: Clock, events: LetterEvents) {
    this.#log = log;
    this.#topic = topic;
    this.#clock = clock;
    this.#events = events;
  }

  /** Dead-letters the records of the cut that cannot be read. */
  async bury({ ranges }: Pick<BatchCut, 'ranges'>, signal: AbortSignal): Promise<void> {
    for (const { partition, entries } of ranges) {
      for (const { offset, poison, value } of entries) {
        if (poison === undefined) continue;
        const what = { tenant: '', signal: 'traces', ...poison, items: 0 } as const;
        await this.#append([{ meta: this.#meta({ partition, offset, index: 0 }, what), value }], signal);
      }
    }
  }

  /** Dead-letters rows that ClickHouse refuses; `why` is what it said, where that is known. */
  async send(dead: Iterable<DeadRows & { readonly why?: string }>, signal: AbortSignal): Promise<void> {
    let letters: Letter[] = [];
    let bytes = 0;
    for (const { table, tenant, signal: kind, rows, frame, why, ...where } of dead) {
      const said = why === undefined ? '' : `: ${why.slice(0, WHY_CHARS_MAX)}`;
      const message = `ClickHouse refuses ${rows === 1 ? 'a row' : `${rows} rows`} of ${table}${said}`;
      const what = { tenant, signal: kind, reason: 'rows_rejected', message, items: rows, table } as const;
      if (letters.length > 0 && bytes + frame.length > LIMITS.lettersBytesMax) {
        await this.#append(letters, signal);
        letters = [];
        bytes = 0;
      }
      letters.push({ meta: this.#meta(where, what), value: frame });
      bytes += frame.length;
    }
    if (letters.length > 0) await this.#append(letters, signal);
    faultPoint('sink.after_letter');
  }

  #meta(
    { partition, offset, index }: Pick<DeadRows, 'partition' | 'offset' | 'index'>,
    what: Pick<DlqMeta, 'tenant' | 'signal' | 'reason' | 'message' | 'items' | 'table'>,
  ): DlqMeta {
    const source = { sourceTopic: this.#topic, sourcePartition: partition, sourceOffset: offset, sourceIndex: index };
    return { ...what, ...source, firstSeenNs: this.#clock.wallNs() };
  }

  /** All or none: one append is one batch of Kafka's. */
  async #append(letters: readonly Letter[], signal: AbortSignal): Promise<void> {
    const records = letters.map(({ meta, value }) => ({
      key: Buffer.from(dlqKey(meta)),
      value,
      meta: encodeDlqMeta(meta),
    }));
    await appendUntilAcked(this.#log, this.#clock, CONTROL_TOPICS.dlq, DLQ_PARTITION, records, signal);
    for (const { meta } of letters) this.#events.deadLettered(meta.reason);
  }
}
