import { type Log, PartitionLane, type Published, type RawRecord } from '@weir/delivery';
import { createTotals, Scanner, splitExport } from '@weir/otlp';
import { type Clock, type Component, type Consumer, refuse } from '@weir/pipeline';
import type { AdmittedExport, Answer } from '../exports.ts';
import { LIMITS } from '../limits.ts';
import { toStoredValue } from '../stored-value.ts';

/** What publishing needs of the world. */
export interface PublisherParts {
  readonly log: Log;
  readonly clock: Clock;
  readonly topic: string;
  /** Random id of this process, 16 hex digits. */
  readonly edge: string;
  readonly deadlineMs: number;
  /** Partitions of the topic, once Kafka answers; rejects only when the signal aborts. */
  readonly partitions: (signal: AbortSignal) => Promise<number>;
  readonly onProduced: (seconds: number) => void;
}

/**
 * Puts exports into the raw log and answers once Kafka has them. Each partition is a lane of its own; an export goes to
 * the one of its tenant's with the least in it.
 */
export class Publisher implements Consumer<AdmittedExport, Answer>, Component {
  readonly name = 'publisher';
  readonly #parts: PublisherParts;
  #lanes: PartitionLane[] = [];
  #next = 0;
  readonly #stopping = new AbortController();
  #discovering: Promise<void> | undefined;

  constructor(parts: PublisherParts) {
    this.#parts = parts;
  }

  /** Does not wait for Kafka: an edge that starts while Kafka is down serves, and answers 503. */
  async start(): Promise<void> {
    this.#discovering = this.#discover();
  }

  async stop(signal: AbortSignal): Promise<void> {
    this.#stopping.abort();
    await this.#discovering;
    await Promise.all(this.#lanes.map((lane) => lane.drain(signal)));
  }

  async consume(export_: AdmittedExport): Promise<Answer> {
    if (this.#lanes.length === 0) {
      return refuse('kafka_unavailable', 'Kafka has not been reached since the edge started', LIMITS.kafkaRetryAfterS);
    }
    const records = toRecords(export_);
    if (records === undefined) {
      return refuse('too_large', `one item is larger than ${LIMITS.recordBodyBytesMax} bytes and cannot be split`);
    }
    // Not awaited here: that would keep the plain bytes until Kafka answers.
    return this.#publish(records, export_.meta.items, export_.rejectedItems);
  }

  async #publish(records: readonly RawRecord[], items: number, rejectedItems: number): Promise<Answer> {
    const results = await Promise.all(records.map((record) => this.#lane().publish(record)));
    const failed = results.find((result) => result !== 'acked');
    if (failed !== undefined) return refusal(failed);
    const accepted = { kind: 'accepted', acceptedItems: items - rejectedItems, rejectedItems } as const;
    if (rejectedItems === 0) return accepted;
    return { ...accepted, message: `${rejectedItems} items are invalid (ids, times or buckets) and were not stored` };
  }

  async #discover(): Promise<void> {
    const { log, clock, topic, edge, deadlineMs, onProduced, partitions } = this.#parts;
    const count = await partitions(this.#stopping.signal).catch(() => 0);
    const options = { topic, edge, batchBytesMax: LIMITS.produceBytesMax, deadlineMs, onProduced };
    this.#lanes = Array.from(
      { length: count },
      (_, partition) => new PartitionLane(log, clock, { ...options, partition }),
    );
  }

  /** All partitions belong to every tenant for now. Ties go round, so that idle lanes share evenly. */
  #lane(): PartitionLane {
    let best = this.#lanes[this.#next++ % this.#lanes.length]!;
    for (const lane of this.#lanes) if (lane.queuedBytes < best.queuedBytes) best = lane;
    return best;
  }
}

function refusal(failed: Exclude<Published, 'acked'>): Answer {
  if (failed === 'rejected') return refuse('kafka_unavailable', 'Kafka refused the export', LIMITS.kafkaRetryAfterS);
  return refuse('kafka_unavailable', 'Kafka did not acknowledge the export in time', LIMITS.kafkaRetryAfterS);
}

/** The export as raw records: one, or several where it is too large for one. Undefined where an item alone is too large. */
function toRecords(export_: AdmittedExport): RawRecord[] | undefined {
  const { meta, value, plain } = export_;
  if (plain.length <= LIMITS.recordBodyBytesMax) return [{ meta, value }];
  const pieces = splitExport(plain, LIMITS.recordBodyBytesMax);
  const scanner = new Scanner();
  const totals = createTotals();
  return pieces?.map((piece) => {
    scanner.scan(meta.signal, piece, Number.POSITIVE_INFINITY, totals);
    const stored = toStoredValue(piece);
    const own = { encoding: stored.encoding, bytes: piece.length, items: totals.items };
    return { meta: { ...meta, ...own }, value: stored.value };
  });
}
