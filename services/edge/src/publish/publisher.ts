import { type Log, PartitionLane, type Published, type RawRecord } from '@weir/delivery';
import { createTotals, repeatedBytesMax, Scanner, splitExport } from '@weir/otlp';
import { type Budget, type Clock, type Component, type Consumer, type Refused, refuse } from '@weir/pipeline';
import type { AdmittedExport, Answer } from '../exports.ts';
import { LIMITS } from '../limits.ts';
import { toStoredValue } from '../stored-value.ts';

/** What publishing needs of the world. */
export interface PublisherParts {
  readonly log: Log;
  readonly clock: Clock;
  readonly topic: string;
  /** The queue, which counts what clients sent, and here the pieces of what is split. */
  readonly budget: Budget;
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
    const { meta, value, plain, rejectedItems } = export_;
    // Not awaited here: that would keep the plain bytes until Kafka answers.
    if (plain.length <= LIMITS.recordBodyBytesMax) return this.#publish([{ meta, value }], meta.items, rejectedItems);
    const records = split(export_);
    if (!Array.isArray(records)) return records;
    return this.#publishPieces(records, meta.items, rejectedItems);
  }

  /** The pieces are not the client's bytes, and take room of their own. */
  #publishPieces(records: readonly RawRecord[], items: number, rejectedItems: number): Answer | Promise<Answer> {
    const { budget } = this.#parts;
    const bytes = records.reduce((sum, { value }) => sum + value.length, 0);
    if (!budget.tryTake(bytes, 0)) return refuse('edge_full', 'the edge is full');
    return this.#publish(records, items, rejectedItems).finally(() => budget.give(bytes, 0));
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

/** The raw records of an export that is too large for one, or why there are none. */
function split({ meta, plain }: AdmittedExport): RawRecord[] | Refused {
  const records: RawRecord[] = [];
  const scanner = new Scanner();
  const totals = createTotals();
  let expands = false;
  const whole = splitExport(plain, LIMITS.recordBodyBytesMax, (piece) => {
    scanner.scan(meta.signal, piece, Number.POSITIVE_INFINITY, totals);
    // What the whole export may repeat can stand in one piece of it, which would be refused behind the edge.
    if (totals.repeatedBytes > repeatedBytesMax(piece.length)) expands = true;
    const stored = toStoredValue(piece);
    const own = { encoding: stored.encoding, bytes: piece.length, items: totals.items };
    records.push({ meta: { ...meta, ...own }, value: stored.value });
  });
  if (whole && !expands) return records;
  return refuse(
    'too_large',
    `the export does not split into records of ${LIMITS.recordBodyBytesMax} bytes: one item, or what many of them share, is too large`,
  );
}
