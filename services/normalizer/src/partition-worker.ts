import {
  type CommitMetadata,
  decodeCommitMetadata,
  EdgeMarks,
  encodeCommitMetadata,
  type Log,
  lostEndError,
  type Membership,
  type Ownership,
  type PartitionWork,
  RowsWriter,
  takeOver,
} from '@weir/delivery';
import { type Normalized, type Normalizer, remember } from '@weir/normalize';
import { type Clock, faultPoint, heardClock } from '@weir/pipeline';
import type { Track } from '@weir/records';
import { pauseAfter, type RawPage, readRaw } from './consume/raw-source.ts';
import { LIMITS } from './limits.ts';
import { publishDeadLetters } from './publish/dead-letters.ts';
import type { UnknownTenants } from './unknown-tenants.ts';

/** What a partition worker needs of the world. */
export interface WorkerParts {
  readonly log: Log;
  readonly membership: Membership;
  readonly normalizer: Pick<Normalizer, 'run'>;
  readonly unknownTenants: Pick<UnknownTenants, 'settle'>;
  /** A random id for each take-over, 16 hex digits. */
  readonly newOwner: () => string;
  readonly clock: Clock;
  readonly track: Track;
  readonly rawTopic: string;
  readonly rowsTopic: string;
  readonly onTakeOver: () => void;
  /** Kafka let go of so many records before we had read them: they are lost. */
  readonly onLost: (partition: number, records: number) => void;
  readonly onTranscoded: (seconds: number) => void;
  readonly onProduced: (rows: number, seconds: number) => void;
  /** The rows log has taken what there was, or there is nothing for it to take. */
  readonly onMoved?: () => void;
  /** A try to write to the rows log has failed, and is made again. */
  readonly onFailed?: (retryInMs: number) => void;
}

/** Where a partition stands. */
export interface PartitionProgress {
  /** First raw offset that is not in the rows log. */
  doneTo: number;
  endOffset: number;
  /** Behind the last record that Kafka was found to have let go of; it is told once. */
  lostTo: number;
  /** Monotonic time when the end was seen. */
  endSeenMs: number;
  /** Mean size of a record's value over the last reads. */
  recordBytes: number;
  /** Monotonic time when it last moved, or had nothing to do; a worker that failed leaves it to the next one. */
  movedMs: number;
  /** Monotonic time of the last sign of life, of which beginning anew is one. */
  aliveMs: number;
}

const SMOOTHING = 0.2;

/**
 * One raw partition into its rows partition: take over, read, normalize, append, commit a checkpoint now and then. While
 * one record is appended the next page is read and normalized.
 */
export class PartitionWorker implements PartitionWork {
  readonly progress: PartitionProgress;
  readonly #parts: WorkerParts;
  readonly #partition: number;
  /** A sign of life with each use: a worker that tries again and again would not do better in another process. */
  readonly #clock: Clock;
  #checkpoint: CommitMetadata | null = null;
  #committedAtMs = 0;
  #committedTo = -1;
  #committing: Promise<void> | undefined;

  /** @param former where the partition stood when another worker of it failed */
  constructor(partition: number, parts: WorkerParts, former?: PartitionProgress) {
    this.#partition = partition;
    this.#parts = parts;
    this.progress = {
      doneTo: 0,
      endOffset: 0,
      lostTo: 0,
      endSeenMs: parts.clock.nowMs(),
      recordBytes: 0,
      movedMs: parts.clock.nowMs(),
      ...former,
      aliveMs: parts.clock.nowMs(),
    };
    this.#clock = heardClock(parts.clock, () => {
      this.progress.aliveMs = parts.clock.nowMs();
    });
  }

  async run(session: AbortSignal, draining: AbortSignal): Promise<void> {
    const { membership, log, rowsTopic, rawTopic, onFailed } = this.#parts;
    const committed = await membership.committed(this.#partition, session);
    this.#checkpoint = committed === null ? null : decodeCommitMetadata(committed.metadata);
    await this.#lookAround(committed?.offset ?? 0, session);
    // What fails because the partition is another's now is no failure of ours.
    const failed = (retryInMs: number) => (session.aborted ? undefined : onFailed?.(retryInMs));
    const rows = { log, clock: this.#clock, topic: rowsTopic, partition: this.#partition, failed };
    let isTaken = false;
    while (!session.aborted && !draining.aborted) {
      const ownership = await takeOver(rows, this.#parts.newOwner(), this.#checkpoint, session);
      this.#parts.onTakeOver();
      isTaken = true;
      const bounds = await log.bounds(rawTopic, this.#partition, session);
      // What is committed is never ahead of the rows log; it is ahead of what is retained of it after a long pause.
      const stood = Math.max(ownership.rawLast + 1, committed?.offset ?? 0);
      if (stood > bounds.end) throw lostEndError(rawTopic, this.#partition, { end: bounds.end, recorded: stood });
      // The former owner may have ended before it committed: where nothing comes, nobody else would. Of a position that was put elsewhere
      // the rows log says nothing.
      if (ownership.last !== null && stood === ownership.rawLast + 1) this.#checkpoint = ownership.last;
      const start = Math.max(stood, bounds.start);
      // Where nobody has read anything yet, nothing was ours to read.
      if (stood > 0) this.#tellLost(stood, start);
      this.progress.doneTo = start;
      const marks = await this.marksAt(ownership, stood, bounds.start, session);
      await this.#work(new RowsWriter(rows, ownership), ownership, marks, start, session, draining);
    }
    await this.#committing;
    // Whoever takes it over tells what was lost by what is committed.
    if (isTaken && !session.aborted) await this.#commit(session);
  }

  /**
   * What is remembered of edges where the work begins; a method, as the simulation switches it off. Mostly the newest rows record says it; where rows are gone whose raw records were
   * done (docs/adr/0026), these say the rest.
   */
  async marksAt(ownership: Ownership, offset: number, rawStart: number, session: AbortSignal): Promise<EdgeMarks> {
    const { log, rawTopic } = this.#parts;
    const options = { maxBytes: LIMITS.readBytesMax, maxWaitMs: LIMITS.readWaitMs };
    const marks = new EdgeMarks(ownership.marks);
    let at = Math.max(ownership.rawLast + 1, rawStart, offset - LIMITS.marksRecordsMax);
    while (at < offset) {
      const page = await readRaw(log, rawTopic, this.#partition, at, options, session);
      remember(
        marks,
        page.entries.filter((entry) => entry.offset < offset),
      );
      at = page.nextOffset;
      this.#clock.nowMs();
    }
    return marks;
  }

  #tellLost(stood: number, start: number): void {
    const lost = start - Math.max(stood, this.progress.lostTo);
    if (lost <= 0) return;
    this.progress.lostTo = start;
    this.#parts.onLost(this.#partition, lost);
  }

  /**
   * How much waits, before the rows log is taken over: that may take long, and the backlog is told meanwhile.
   *
   * @throws DependencyError `rejected` where the raw log ends before what was committed
   */
  async #lookAround(committedTo: number, session: AbortSignal): Promise<void> {
    const { progress } = this;
    const { log, rawTopic } = this.#parts;
    const bounds = await log.bounds(rawTopic, this.#partition, session);
    if (committedTo > bounds.end) {
      throw lostEndError(rawTopic, this.#partition, { end: bounds.end, recorded: committedTo });
    }
    progress.doneTo = Math.max(progress.doneTo, committedTo, bounds.start);
    this.sawEnd(bounds.end);
    if (progress.recordBytes > 0 || progress.doneTo >= bounds.end) return;
    const options = { maxBytes: LIMITS.sampleBytesMax, maxWaitMs: LIMITS.readWaitMs };
    this.#saw(await readRaw(log, rawTopic, this.#partition, progress.doneTo, options, session));
  }

  /** Returns when the partition is no longer owned, or when it has drained. */
  async #work(
    writer: RowsWriter,
    ownership: Ownership,
    marks: EdgeMarks,
    start: number,
    session: AbortSignal,
    draining: AbortSignal,
  ): Promise<void> {
    const source = { track: this.#parts.track, partition: this.#partition };
    const stop = AbortSignal.any([session, draining]);
    let appending: Promise<boolean> = Promise.resolve(true);
    let offset = start;
    while (!stop.aborted) {
      const page = await this.#read(offset, stop, session);
      if (page === undefined) break;
      this.#saw(page);
      if (page.entries.length > 0) faultPoint('normalizer.after_read');
      await this.#parts.unknownTenants.settle(page.entries, session, this.#clock);
      for (let next = 0; next < page.entries.length; ) {
        const startedMs = this.#parts.clock.nowMs();
        const { next: after, done } = this.#parts.normalizer.run(page.entries, next, marks, source);
        this.#parts.onTranscoded((this.#parts.clock.nowMs() - startedMs) / 1_000);
        next = after;
        const snapshot = marks.snapshot();
        if (!(await appending)) return;
        appending = this.#append(writer, ownership, done, snapshot, session);
        // A failure is seen when the append is awaited; until then it must not count as unhandled.
        appending.catch(() => undefined);
      }
      offset = page.nextOffset;
      if (page.entries.length === 0) {
        if (!(await appending)) return;
        this.#moved();
        this.#commitLater(session);
      }
      const pauseMs = this.progress.endSeenMs + pauseAfter(page) - this.#parts.clock.nowMs();
      if (pauseMs > 0) await this.#clock.sleep(pauseMs, stop).catch(() => undefined);
    }
    await appending;
  }

  async #read(offset: number, stop: AbortSignal, session: AbortSignal): Promise<RawPage | undefined> {
    const { log, rawTopic } = this.#parts;
    const options = { maxBytes: LIMITS.readBytesMax, maxWaitMs: LIMITS.readWaitMs };
    try {
      return await readRaw(log, rawTopic, this.#partition, offset, options, stop);
    } catch (error) {
      session.throwIfAborted();
      if (stop.aborted) return undefined;
      throw error;
    }
  }

  /** Dead letters first, then the record that covers them. False once the partition is no longer owned. */
  async #append(
    writer: RowsWriter,
    ownership: Ownership,
    done: Normalized,
    marks: ReturnType<EdgeMarks['snapshot']>,
    session: AbortSignal,
  ): Promise<boolean> {
    const { log, rawTopic } = this.#parts;
    const clock = this.#clock;
    if (done.dead.length > 0) {
      await publishDeadLetters(log, clock, { topic: rawTopic, partition: this.#partition }, done.dead, session);
    }
    const startedMs = clock.nowMs();
    const { rawFirst, rawLast, oldestReceivedAtNs, sections } = done;
    const content = { rawFirst, rawLast, oldestReceivedAtNs, sections, marks };
    const offset = await writer.append(content, done.value, session);
    if (offset === undefined) return false;
    this.#parts.onProduced(done.rows, (clock.nowMs() - startedMs) / 1_000);
    const { epoch, owner } = ownership;
    this.#checkpoint = { mark: offset, state: { epoch, owner, rawLast: rawFirst - 1 } };
    this.progress.doneTo = rawLast + 1;
    this.#moved();
    this.#commitLater(session);
    return true;
  }

  #saw({ entries, bytes, endOffset }: RawPage): void {
    const { progress } = this;
    this.sawEnd(endOffset);
    if (entries.length === 0) return;
    const mean = bytes / entries.length;
    progress.recordBytes += (mean - progress.recordBytes) * (progress.recordBytes === 0 ? 1 : SMOOTHING);
  }

  /** The end is known from reading; while a record is not taken for long nothing is read, and who reports the backlog looks. */
  sawEnd(offset: number): void {
    this.progress.endOffset = offset;
    this.progress.endSeenMs = this.#parts.clock.nowMs();
  }

  #moved(): void {
    this.progress.aliveMs = this.progress.movedMs = this.#parts.clock.nowMs();
    this.#parts.onMoved?.();
  }

  /**
   * Commits the checkpoint when the last commit is old enough, beside the data path. What is committed is in the rows log
   * already, so a commit that fails costs the next owner only reading; one that is refused ends the session by itself.
   */
  #commitLater(session: AbortSignal): void {
    if (this.#committing !== undefined || this.#parts.clock.nowMs() - this.#committedAtMs < LIMITS.commitMs) return;
    this.#committing = this.#commit(session)
      .catch(() => undefined)
      .finally(() => {
        this.#committing = undefined;
      });
  }

  async #commit(session: AbortSignal): Promise<void> {
    const { doneTo } = this.progress;
    if (this.#checkpoint === null || doneTo === this.#committedTo) return;
    this.#committedAtMs = this.#parts.clock.nowMs();
    const metadata = encodeCommitMetadata(this.#checkpoint);
    await this.#parts.membership.commit(new Map([[this.#partition, { offset: doneTo, metadata }]]), session);
    this.#committedTo = doneTo;
  }
}
