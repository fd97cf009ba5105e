import { type Log, PartitionLane, type Published, type RawRecord } from '@weir/delivery';
import { createTotals, repeatedBytesMax, Scanner, splitExport } from '@weir/otlp';
import { type Budget, type Clock, type Component, type Consumer, type Refused, refuse } from '@weir/pipeline';
import { encodeRejectedItems, type Usage } from '@weir/records';
import type { AdmittedExport, Answer } from '../exports.ts';
import { LIMITS } from '../limits.ts';
import { toStoredValue } from '../stored-value.ts';
import type { Books } from './books.ts';

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
  readonly books: Pick<Books, 'refused' | 'acked' | 'unanswered'>;
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

  /** Of the topic; 0 until Kafka has been reached. */
  get partitions(): number {
    return this.#lanes.length;
  }

  /** Does not wait for Kafka: an edge that starts while Kafka is down serves, and answers 503. */
  async start(): Promise<void> {
    this.#discovering = this.#discover();
  }

  async stop(signal: AbortSignal): Promise<void> {
    this.#stopping.abort();
    await this.#discovering;
    // Exports end by their deadline; a note would wait for Kafka as long as it takes.
    const last = AbortSignal.any([signal, AbortSignal.timeout(this.#parts.deadlineMs + LIMITS.booksStopMs)]);
    await Promise.all(this.#lanes.map((lane) => lane.drain(last)));
  }

  async consume(export_: AdmittedExport): Promise<Answer> {
    if (this.#lanes.length === 0) {
      return refuse('kafka_unavailable', 'Kafka has not been reached since the edge started', LIMITS.kafkaRetryAfterS);
    }
    const { meta, value, plain } = export_;
    // Not awaited here: that would keep the plain bytes until Kafka answers.
    if (plain.length <= LIMITS.recordBodyBytesMax) return this.#publish([{ meta, value }], export_);
    const records = split(export_);
    if (!Array.isArray(records)) return records;
    return this.#publishPieces(records, export_);
  }

  /** The pieces are not the client's bytes, and take room of their own. */
  #publishPieces(records: readonly RawRecord[], export_: Counted): Answer | Promise<Answer> {
    const { budget } = this.#parts;
    const bytes = records.reduce((sum, { value, meta }) => sum + value.length + (meta.rejected?.length ?? 0), 0);
    if (!budget.tryTake(bytes, 0)) return refuse('edge_full', 'the edge is full');
    return this.#publish(records, export_).finally(() => budget.give(bytes, 0));
  }

  /** Writes usage into the log, once Kafka has been reached; false where that cannot be. */
  async note(usage: readonly Usage[]): Promise<boolean> {
    await this.#discovering;
    return this.#lanes.length > 0 && this.#lane().note(usage);
  }

  #publish(records: readonly RawRecord[], { meta, rejectedItems, rejectedMessage }: Counted): Promise<Answer> {
    // Only these: the export's plain bytes are let go.
    return this.#publishAll(records, meta.items, rejectedItems, rejectedMessage);
  }

  async #publishAll(
    records: readonly RawRecord[],
    items: number,
    rejectedItems: number,
    message: string | undefined,
  ): Promise<Answer> {
    const results = await Promise.all(records.map((record) => this.#lane().publish(record)));
    const failed = results.find((result) => result !== 'acked');
    for (const [at, { meta }] of records.entries()) this.#book(meta, results[at]!, failed === undefined);
    if (failed !== undefined) return refusal(failed);
    const accepted = { kind: 'accepted', acceptedItems: items - rejectedItems, rejectedItems } as const;
    return message === undefined ? accepted : { ...accepted, message };
  }

  /** Record by record: of a split export some may be in the log. What is not known the lane books when it is. */
  #book(meta: RawRecord['meta'], result: Published, whole: boolean): void {
    const { books } = this.#parts;
    if (result === 'acked') whole ? books.acked(meta) : books.unanswered(meta);
    else if (result !== 'unknown') books.refused(meta, 'kafka_unavailable');
  }

  async #discover(): Promise<void> {
    const { log, clock, topic, edge, deadlineMs, onProduced, partitions, books } = this.#parts;
    const count = await partitions(this.#stopping.signal).catch(() => 0);
    const onLate = (meta: RawRecord['meta']) => books.unanswered(meta);
    const options = { topic, edge, batchBytesMax: LIMITS.produceBytesMax, deadlineMs, onProduced, onLate };
    this.#lanes = Array.from(
      { length: count },
      (_, partition) => new PartitionLane(log, clock, { ...options, partition }),
    );
  }

  /**
   * All partitions belong to every tenant for now. Ties go round, so that idle lanes share evenly; a lane that waits for an
   * append without an answer is the last choice.
   */
  #lane(): PartitionLane {
    let best = this.#lanes[this.#next++ % this.#lanes.length]!;
    for (const lane of this.#lanes) {
      const less = lane.inDoubt === best.inDoubt ? lane.queuedBytes < best.queuedBytes : best.inDoubt;
      if (less) best = lane;
    }
    return best;
  }
}

/** What the answer to an export says of its items. */
type Counted = Pick<AdmittedExport, 'meta' | 'rejectedItems' | 'rejectedMessage'>;

function refusal(failed: Exclude<Published, 'acked'>): Answer {
  const message = failed === 'rejected' ? 'Kafka refused the export' : 'Kafka did not acknowledge the export in time';
  return { ...refuse('kafka_unavailable', message, LIMITS.kafkaRetryAfterS), booked: true };
}

/** The raw records of an export that is too large for one, or why there are none. */
function split({ meta, plain, limitFaults }: AdmittedExport): RawRecord[] | Refused {
  const records: RawRecord[] = [];
  const scanner = new Scanner();
  const totals = createTotals();
  let expands = false;
  let first = 0;
  const whole = splitExport(plain, LIMITS.recordBodyBytesMax, (piece) => {
    scanner.scan(meta.signal, piece, Number.POSITIVE_INFINITY, totals);
    // What the whole export may repeat can stand in one piece of it, which would be refused behind the edge.
    if (totals.repeatedBytes > repeatedBytesMax(piece.length)) expands = true;
    const stored = toStoredValue(piece);
    const codes = limitFaults?.subarray(first, first + totals.items);
    const rejected = codes === undefined ? undefined : encodeRejectedItems(codes);
    first += totals.items;
    const own = { encoding: stored.encoding, bytes: piece.length, items: totals.items, rejected };
    records.push({ meta: { ...meta, ...own }, value: stored.value });
  });
  if (whole && !expands) return records;
  return refuse(
    'too_large',
    `the export does not split into records of ${LIMITS.recordBodyBytesMax} bytes: one item, or what many of them share, is too large`,
  );
}
