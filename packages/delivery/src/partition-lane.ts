import { type Clock, DependencyError, faultPoint } from '@weir/pipeline';
import { encodeNote, encodeRawMeta, minuteOf, type RawMeta, type Usage, UsageTally } from '@weir/records';
import type { Log, NewRecord } from './log.ts';
import { lostEndError } from './log-end.ts';

/** What became of a published record: `unknown` may or may not be in the log, `rejected` and `expired` are not. */
export type Published = 'acked' | 'unknown' | 'rejected' | 'expired';

/** An export on its way to a raw partition; the lane adds the edge and its seq. */
export interface RawRecord {
  readonly meta: Omit<RawMeta, 'edge' | 'seq'>;
  /** Owned by the lane until it is published. */
  readonly value: Buffer;
}

export interface LaneOptions {
  readonly topic: string;
  readonly partition: number;
  /** Random id of this process, 16 hex digits. */
  readonly edge: string;
  /** One produce holds at most this much, unless one record alone is larger. */
  readonly batchBytesMax: number;
  /** And at most so many records; left out, as many as there are. */
  readonly batchRecordsMax?: number;
  /**
   * While less than `bytesMax` waits, produces begin at least so far apart, so that small records go together; left out, as fast as
   * the log takes them. What comes to a lane at rest goes at once.
   */
  readonly pace?: { readonly ms: number; readonly bytesMax: number };
  /** A record that is not acknowledged after this long is answered. */
  readonly deadlineMs: number;
  /** Called with the seconds that each acknowledged produce took. */
  readonly onProduced?: (seconds: number) => void;
  /** Called with the items of which the log was to tell what became of them, where the lane ended or was refused before. */
  readonly onLost?: (items: number) => void;
  /** Called once, where an append is given offsets that this lane had been given before: Kafka has lost the end of the log. */
  readonly onLostEnd?: (error: DependencyError) => void;
}

interface Entry {
  readonly record: RawRecord;
  readonly dueMs: number;
  settle(outcome: Published): void;
  settled: boolean;
}

/** Usage that waits to be written as a note. */
interface Waiting {
  readonly usage: readonly Usage[];
  resolve(written: boolean): void;
}

const RETRY_DELAY_MS = 50;
const RETRY_DELAY_MS_MAX = 1_000;

/**
 * The way of one edge into one raw partition. One produce is in flight; what comes meanwhile goes into the next one. A
 * retry repeats exactly the newest records with their seqs, so that the normalizer can tell a repeated append from a new
 * record. After an append without an answer nothing is sent until a note stands behind it: whoever reads the note knows
 * whether the records came before it, and after it they no longer count. A log that gives an offset twice has lost its end, and
 * what is appended to it may be passed over: the lane takes nothing any more. Bounded by its caller: what is queued was
 * admitted by a budget.
 */
export class PartitionLane {
  readonly #log: Log;
  readonly #clock: Clock;
  readonly #options: LaneOptions;
  readonly #stopping = new AbortController();
  /** What has not been sent, and what is in the produce in flight; each in order of their deadlines. */
  #queue: Entry[] = [];
  #inFlight: readonly Entry[] = [];
  #queuedBytes = 0;
  #notes: Waiting[] = [];
  /** What was in the append of which it is not known whether it happened. */
  #doubt: UsageTally | undefined;
  /** Whether the newest attempt stayed without an answer. */
  #failing = false;
  #seq = 0;
  #pumping: Promise<void> | undefined;
  /** When the newest produce of records began. */
  #producedAtMs = Number.NEGATIVE_INFINITY;
  #producingSinceMs: number | undefined;
  #expiring = false;
  /** One past the newest offset that an append was given. */
  #end = 0;
  #hasLostEnd = false;

  constructor(log: Log, clock: Clock, options: LaneOptions) {
    this.#log = log;
    this.#clock = clock;
    this.#options = options;
  }

  /** Bytes of values that are queued or in flight and have not been answered. */
  get queuedBytes(): number {
    return this.#queuedBytes;
  }

  /** Records whose values are in memory: those that wait, and those of the produce in flight. */
  get heldRecords(): number {
    return this.#queue.length + this.#inFlight.length;
  }

  /** Resolves once the record is acknowledged, or at its deadline. Never rejects. */
  publish(record: RawRecord): Promise<Published> {
    if (this.#hasLostEnd) return Promise.resolve('rejected');
    const { promise, resolve } = Promise.withResolvers<Published>();
    const entry: Entry = {
      record,
      dueMs: this.#clock.nowMs() + this.#options.deadlineMs,
      settled: false,
      settle: (outcome) => {
        if (entry.settled) return;
        entry.settled = true;
        this.#queuedBytes -= bytesOf(record);
        resolve(outcome);
      },
    };
    this.#queuedBytes += bytesOf(record);
    this.#queue.push(entry);
    this.#pumping ??= this.#pump();
    if (!this.#expiring) void this.#expire();
    return promise;
  }

  /** Whether an append stays without an answer, so that what is published now may wait for long. */
  get inDoubt(): boolean {
    return this.#failing || this.#doubt !== undefined || this.#hasLostEnd;
  }

  /** Whether Kafka has lost the end of the log: nothing is written to it any more. */
  get hasLostEnd(): boolean {
    return this.#hasLostEnd;
  }

  /** When the produce in flight began, of records or of a note, on the clock's monotonic time; undefined where none is. */
  get producingSinceMs(): number | undefined {
    return this.#producingSinceMs;
  }

  /** Writes usage into the log, however long it takes; resolves false where that cannot be, or the lane ends before. */
  note(usage: readonly Usage[]): Promise<boolean> {
    if (this.#hasLostEnd) return Promise.resolve(false);
    const { promise, resolve } = Promise.withResolvers<boolean>();
    this.#notes.push({ usage, resolve });
    this.#pumping ??= this.#pump();
    return promise;
  }

  /** Resolves when nothing is queued or in flight any more, or when the signal aborts. */
  async drain(signal: AbortSignal): Promise<void> {
    const onAbort = () => this.#stopping.abort(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    if (signal.aborted) onAbort();
    try {
      await this.#pumping;
    } finally {
      signal.removeEventListener('abort', onAbort);
    }
  }

  async #pump(): Promise<void> {
    while (this.#queue.length > 0 || this.#notes.length > 0 || this.#doubt !== undefined) {
      if (this.#hasLostEnd) {
        this.#giveUp();
        continue;
      }
      if (this.#notes.length > 0 || this.#doubt !== undefined) await this.#writeNote();
      // A note that was refused leaves the doubt: what went before the next one would stand for what is in doubt.
      if (this.#doubt !== undefined) continue;
      const paceMs = this.#paceMs();
      if (paceMs > 0) await this.#clock.sleep(paceMs, this.#stopping.signal).catch(() => undefined);
      const batch = this.#take();
      if (batch.length === 0) continue;
      this.#inFlight = batch;
      this.#producedAtMs = this.#clock.nowMs();
      const records = batch.map((entry) => this.#encode(entry.record));
      const outcome = await this.#produce(records, batch[0]!.dueMs);
      this.#inFlight = [];
      // Those that were answered as unknown are told of, even where it is certain now that they are not there.
      const doubted = outcome === 'unknown' ? batch : batch.filter(({ settled }) => settled && outcome !== 'acked');
      if (doubted.length > 0) this.#doubt = usageOf(doubted, 'refused', 'kafka_unavailable');
      if (outcome === 'acked') this.#noteLate(batch.filter(({ settled }) => settled));
      for (const entry of batch) entry.settle(outcome);
    }
    this.#pumping = undefined;
  }

  /** How long the next produce waits for more to go with it. */
  #paceMs(): number {
    const { pace } = this.#options;
    if (pace === undefined || this.#queuedBytes >= pace.bytesMax) return 0;
    return this.#producedAtMs + pace.ms - this.#clock.nowMs();
  }

  /** Tells of what was answered as unknown and is in the log after all. The lane's own note: it does not end before. */
  #noteLate(late: readonly Entry[]): void {
    if (late.length === 0) return;
    const usage = usageOf(late, 'unanswered', '');
    void this.note(usage.entries()).then((written) => {
      if (!written) this.#options.onLost?.(usage.items);
    });
  }

  /** One note for all that waits, and for what is in doubt, which stays so until a note is written. */
  async #writeNote(): Promise<void> {
    const { signal } = this.#stopping;
    const waiting = this.#notes.splice(0);
    const settled = waiting.flatMap(({ usage }) => usage);
    const note = encodeNote({
      edge: this.#options.edge,
      seq: this.#seq++,
      settled,
      doubtful: this.#doubt?.entries() ?? [],
    });
    let outcome: Published = 'unknown';
    let unanswered = false;
    // What may be in the log is repeated as it is; refused later, it may be there all the same.
    for (let goesOn = true; goesOn && !signal.aborted; ) {
      outcome = await this.#produce([{ key: null, ...note }], Number.POSITIVE_INFINITY);
      unanswered ||= outcome === 'unknown';
      if (this.#hasLostEnd) break;
      if (outcome !== 'acked') await this.#clock.sleep(RETRY_DELAY_MS_MAX, signal).catch(() => undefined);
      goesOn = outcome === 'unknown' || (outcome === 'rejected' && unanswered && this.#doubt !== undefined);
    }
    // One that is certainly not there leaves its place to the next, which must stand right behind what is in doubt.
    if (outcome === 'rejected' && !unanswered) this.#seq--;
    if (outcome !== 'acked' && signal.aborted) this.#loseDoubt();
    if (outcome === 'acked') this.#doubt = undefined;
    for (const { resolve } of waiting) resolve(outcome === 'acked');
  }

  /** Nobody will tell what became of what is in doubt. */
  #loseDoubt(): void {
    if (this.#doubt !== undefined) this.#options.onLost?.(this.#doubt.items);
    this.#doubt = undefined;
  }

  /** Answers all that waits, as nothing goes to this log any more. */
  #giveUp(): void {
    this.#loseDoubt();
    for (const entry of this.#queue.splice(0)) entry.settle('rejected');
    for (const { resolve } of this.#notes.splice(0)) resolve(false);
  }

  /**
   * Answers what is due and lets go of it, whatever the produce in flight is waiting for: what has been answered no longer
   * counts in the caller's budget, so it must not be in memory either. One timer serves all, since all wait equally long.
   */
  async #expire(): Promise<void> {
    this.#expiring = true;
    for (;;) {
      const next = this.#inFlight.find((entry) => !entry.settled) ?? this.#queue[0];
      if (next === undefined) break;
      await this.#clock.sleep(Math.max(0, next.dueMs - this.#clock.nowMs()));
      const now = this.#clock.nowMs();
      for (const entry of this.#inFlight) if (entry.dueMs <= now) entry.settle('unknown');
      this.#dropDue(now);
    }
    this.#expiring = false;
  }

  #dropDue(now: number): void {
    const kept = this.#queue.findIndex((entry) => entry.dueMs > now);
    const due = kept < 0 ? this.#queue : this.#queue.slice(0, kept);
    this.#queue = kept < 0 ? [] : this.#queue.slice(kept);
    for (const entry of due) entry.settle('expired');
  }

  #take(): readonly Entry[] {
    this.#dropDue(this.#stopping.signal.aborted ? Number.POSITIVE_INFINITY : this.#clock.nowMs());
    const { batchBytesMax, batchRecordsMax = Number.POSITIVE_INFINITY } = this.#options;
    let bytes = 0;
    let taken = 0;
    for (const { record } of this.#queue) {
      if (taken > 0 && (taken >= batchRecordsMax || bytes + bytesOf(record) > batchBytesMax)) break;
      taken++;
      bytes += bytesOf(record);
    }
    return this.#queue.splice(0, taken);
  }

  #encode(record: RawRecord): NewRecord {
    const meta = encodeRawMeta({ ...record.meta, edge: this.#options.edge, seq: this.#seq++ });
    return { key: null, value: record.value, meta, plain: record.meta.encoding === 'identity' };
  }

  async #produce(records: readonly NewRecord[], dueMs: number): Promise<Published> {
    const startedMs = this.#clock.nowMs();
    this.#producingSinceMs = startedMs;
    try {
      return await this.#tryToProduce(records, dueMs, startedMs);
    } finally {
      this.#producingSinceMs = undefined;
    }
  }

  async #tryToProduce(records: readonly NewRecord[], dueMs: number, startedMs: number): Promise<Published> {
    const { topic, partition, onProduced } = this.#options;
    let failed: Published = 'rejected';
    for (let delayMs = RETRY_DELAY_MS; ; delayMs = Math.min(delayMs * 2, RETRY_DELAY_MS_MAX)) {
      try {
        faultPoint('edge.before_produce');
        const first = await this.#log.append(topic, partition, records, this.#stopping.signal);
        faultPoint('edge.after_produce');
        this.#failing = false;
        if (first < this.#end) return this.#loseEnd(first);
        this.#end = first + records.length;
        onProduced?.((this.#clock.nowMs() - startedMs) / 1_000);
        return 'acked';
      } catch (error) {
        if (!(error instanceof DependencyError)) return 'unknown';
        // Where an attempt before stayed without an answer, that one may be in the log.
        if (error.code === 'rejected') return failed;
        failed = 'unknown';
        this.#failing = true;
        if (this.#clock.nowMs() + delayMs >= dueMs) return 'unknown';
      }
      try {
        await this.#clock.sleep(delayMs, this.#stopping.signal);
      } catch {
        return 'unknown';
      }
    }
  }

  /** Whoever reads the log may have been further than where these records stand now, and pass them over. */
  #loseEnd(first: number): Published {
    const { topic, partition, onLostEnd } = this.#options;
    this.#hasLostEnd = true;
    onLostEnd?.(lostEndError(topic, partition, { end: first, recorded: this.#end }));
    return 'unknown';
  }
}

/** Value, and what of the header may be long. */
function bytesOf({ value, meta }: RawRecord): number {
  return value.length + (meta.rejected?.length ?? 0);
}

/** What became of the items of a batch. */
function usageOf(batch: readonly Entry[], outcome: Usage['outcome'], reason: Usage['reason']): UsageTally {
  const tally = new UsageTally();
  for (const { record } of batch) {
    const { tenant, signal, items, bytes, receivedAtNs } = record.meta;
    tally.add({ tenant, signal, minute: minuteOf(receivedAtNs), outcome, reason, items, bytes });
  }
  return tally;
}
