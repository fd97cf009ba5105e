import { type Log, PartitionLane, type Published, type RawRecord } from '@weir/delivery';
import { createTotals, repeatedBytesMax, Scanner, splitExport } from '@weir/otlp';
import { type Clock, type Component, type Consumer, type DependencyError, type Refused, refuse } from '@weir/pipeline';
import { encodeRejectedItems, type Usage } from '@weir/records';
import { ShardMap, type Tenant } from '@weir/tenancy';
import type { EdgeQueue } from '../edge-queue.ts';
import type { AdmittedExport, Answer } from '../exports.ts';
import { LIMITS } from '../limits.ts';
import { toStoredValue } from '../stored-value.ts';
import type { Books } from './books.ts';
import { LaneTurns } from './lane-turns.ts';

/** What publishing needs of the world. */
export interface PublisherParts {
  readonly log: Log;
  readonly clock: Clock;
  readonly topic: string;
  /** The queue, which counts what clients sent, and here the pieces of what is split. */
  readonly queue: EdgeQueue;
  /** Random id of this process, 16 hex digits. */
  readonly edge: string;
  readonly deadlineMs: number;
  /** False: each record is a produce of its own. */
  readonly batches: boolean;
  /** How long a turn of the partitions is; LIMITS says it where it is left out. */
  readonly turnMs?: number;
  /** Partitions of the topic, once Kafka answers; rejects only when the signal aborts. */
  readonly partitions: (signal: AbortSignal) => Promise<number>;
  readonly onProduced: (seconds: number) => void;
  /** Called with the items of appends without an answer that could not be told to the books. */
  readonly onLost: (items: number) => void;
  /** Called for a partition that gives offsets twice; nothing goes there any more. */
  readonly onLostEnd: (error: DependencyError) => void;
  readonly books: Pick<Books, 'refused' | 'acked' | 'unanswered'>;
}

/**
 * Puts exports into the raw log and answers once Kafka has them. Each partition is a lane of its own; an export goes to
 * the one of its tenant's shards whose turn it is, and to the one with the least in it where that one is busy.
 */
export class Publisher implements Consumer<AdmittedExport, Answer>, Component {
  readonly name = 'publisher';
  readonly #parts: PublisherParts;
  #lanes: PartitionLane[] = [];
  #shards = new ShardMap(0);
  #turns = new LaneTurns(0, 0, LIMITS.laneTurnMs);
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

  /** Partitions of which Kafka has lost the end, so that nothing goes there any more. */
  get lostEnds(): number {
    return this.#lanes.reduce((count, lane) => count + (lane.hasLostEnd ? 1 : 0), 0);
  }

  /** Does not wait for Kafka: an edge that starts while Kafka is down serves, and answers 503. */
  async start(): Promise<void> {
    this.#discovering = this.#discover();
  }

  async stop(signal: AbortSignal): Promise<void> {
    this.#stopping.abort();
    await this.#discovering;
    // Exports end by their deadline; a note would wait for Kafka as long as it takes.
    const { clock, deadlineMs } = this.#parts;
    const [late, drained] = [new AbortController(), new AbortController()];
    void clock.sleep(deadlineMs + LIMITS.booksStopMs, drained.signal).then(
      () => late.abort(new Error('Kafka does not answer')),
      () => undefined,
    );
    const last = AbortSignal.any([signal, late.signal]);
    await Promise.all(this.#lanes.map((lane) => lane.drain(last)));
    drained.abort();
  }

  async consume(export_: AdmittedExport): Promise<Answer> {
    if (this.#lanes.length === 0) {
      return refuse('kafka_unavailable', 'Kafka has not been reached since the edge started', LIMITS.kafkaRetryAfterS);
    }
    const { meta, value, plain } = export_;
    // Not awaited here: that would keep the plain bytes until Kafka answers.
    if (plain.length <= LIMITS.recordBodyBytesMax) return this.#publish([{ meta, value }], summaryOf(export_));
    const records = split(export_);
    if (!Array.isArray(records)) return records;
    return this.#publishPieces(records, export_, summaryOf(export_));
  }

  /** The pieces are not the client's bytes, and take room of their own. */
  #publishPieces(
    records: readonly RawRecord[],
    { tenant, heldBytes }: AdmittedExport,
    summary: Summary,
  ): Answer | Promise<Answer> {
    const { queue } = this.#parts;
    const bytes = records.reduce((sum, { value, meta }) => sum + value.length + (meta.rejected?.length ?? 0), 0);
    const full = queue.take(tenant, heldBytes, bytes, 0);
    if (full !== undefined) return full;
    return this.#publish(records, summary).finally(() => queue.give(tenant, bytes, 0));
  }

  /** Writes usage into the log, once Kafka has been reached; false where that cannot be. */
  async note(usage: readonly Usage[]): Promise<boolean> {
    await this.#discovering;
    return this.#lanes.length > 0 && this.#anyLane().note(usage);
  }

  async #publish(records: readonly RawRecord[], { tenant, items, rejectedItems, message }: Summary): Promise<Answer> {
    const results = await Promise.all(records.map((record) => this.#laneOf(tenant).publish(record)));
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
    const { log, clock, topic, edge, deadlineMs, batches, onProduced, partitions, onLost, onLostEnd } = this.#parts;
    const { turnMs = LIMITS.laneTurnMs } = this.#parts;
    const count = await partitions(this.#stopping.signal).catch(() => 0);
    const batch = {
      batchBytesMax: LIMITS.produceBytesMax,
      ...(batches ? { pace: LIMITS.producePace } : { batchRecordsMax: 1 }),
    };
    const options = { topic, edge, ...batch, deadlineMs, onProduced, onLost, onLostEnd };
    this.#shards = new ShardMap(count);
    this.#turns = new LaneTurns(count, Number.parseInt(edge.slice(0, 8), 16), turnMs);
    this.#lanes = Array.from(
      { length: count },
      (_, partition) => new PartitionLane(log, clock, { ...options, partition }),
    );
  }

  /**
   * One of the tenant's own lanes. One that waits for an append without an answer is chosen only where all do: one after
   * another the tenant's next lanes come before it, so that a leader that is missing shuts nobody out; and one that takes nothing
   * any more only where all do that.
   */
  #laneOf(tenant: Tenant): PartitionLane {
    const { order, own } = this.#shards.of(tenant.name, tenant.limits.partitions);
    let best = this.#laneAmong(own, (at) => order[at]!);
    for (let i = own; best.inDoubt && i < order.length; i++) {
      const lane = this.#lanes[order[i]!]!;
      if (doubtOf(lane) < doubtOf(best)) best = lane;
    }
    return best;
  }

  /** For what is of no tenant. */
  #anyLane(): PartitionLane {
    return this.#laneAmong(this.#lanes.length, (at) => at);
  }

  #laneAmong(count: number, partitionAt: (at: number) => number): PartitionLane {
    const inTurn = this.#laneInTurn(count, partitionAt);
    const goesTogether = this.#parts.batches && isFree(inTurn, this.#parts.clock.nowMs());
    return goesTogether ? inTurn : this.#leastLoaded(count, partitionAt);
  }

  /**
   * What comes within a turn goes together, whosever it is: to read, transcode, write and insert a partition costs nearly the
   * same for one export as for several.
   */
  #laneInTurn(count: number, partitionAt: (at: number) => number): PartitionLane {
    const places = this.#turns.placesAt(this.#parts.clock.nowMs());
    let first = partitionAt(0);
    for (let i = 1; i < count; i++) {
      const partition = partitionAt(i);
      if (places[partition]! < places[first]!) first = partition;
    }
    return this.#lanes[first]!;
  }

  /** Ties go round, so that idle lanes share evenly. */
  #leastLoaded(count: number, partitionAt: (at: number) => number): PartitionLane {
    const first = this.#next++;
    let best = this.#lanes[partitionAt(first % count)]!;
    for (let i = 1; i < count; i++) {
      const lane = this.#lanes[partitionAt((first + i) % count)]!;
      const worse = doubtOf(best) - doubtOf(lane);
      if (worse > 0 || (worse === 0 && lane.queuedBytes < best.queuedBytes)) best = lane;
    }
    return best;
  }
}

/** What comes to a lane in doubt may wait for long, what comes to one that lost its end is refused. */
function doubtOf({ hasLostEnd, inDoubt }: PartitionLane): number {
  if (hasLostEnd) return 2;
  return inDoubt ? 1 : 0;
}

/** Whether a lane takes more without letting it wait for long. */
function isFree(lane: PartitionLane, nowMs: number): boolean {
  if (lane.inDoubt || lane.queuedBytes >= LIMITS.laneTurnBytesMax) return false;
  return lane.producingSinceMs === undefined || nowMs - lane.producingSinceMs < LIMITS.laneSlowMs;
}

/** What the answer needs of an export that waits: not its bytes. */
interface Summary {
  readonly tenant: Tenant;
  readonly items: number;
  readonly rejectedItems: number;
  readonly message: string | undefined;
}

function summaryOf({ tenant, meta, rejectedItems, rejectedMessage }: AdmittedExport): Summary {
  return { tenant, items: meta.items, rejectedItems, message: rejectedMessage };
}

function refusal(failed: Exclude<Published, 'acked'>): Answer {
  const message =
    failed === 'rejected' ? 'the export could not be appended' : 'Kafka did not acknowledge the export in time';
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
