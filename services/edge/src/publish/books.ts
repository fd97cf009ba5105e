import type { Clock, Component, RefusalReason, SignalKind } from '@weir/pipeline';
import { minuteOf, type RawMeta, type Usage, UsageTally } from '@weir/records';
import { LIMITS } from '../limits.ts';

type Booked = Pick<RawMeta, 'tenant' | 'signal' | 'items' | 'bytes' | 'receivedAtNs'>;

/** What the books need of the world. */
export interface BooksParts {
  readonly clock: Clock;
  /** Writes usage into the raw log, however long it takes; false where that cannot be. */
  readonly write: (usage: readonly Usage[]) => Promise<boolean>;
  /** Called with the items of usage that could not be written. */
  readonly onLost: (items: number) => void;
}

/**
 * What this edge has answered, for weir_usage. It goes into the raw log now and then, as notes: each is counted once, and an
 * edge that is killed takes along only what it had not told.
 */
export class Books implements Component {
  readonly name = 'books';
  readonly #parts: BooksParts;
  readonly #stopping = new AbortController();
  #tally = new UsageTally();
  /** Once there are too many rows, because Kafka does not take them, time is no longer told apart. */
  #fullMinute: number | undefined;
  #ended = false;
  #running: Promise<void> | undefined;
  /** Notes that wait for a partition, which may be one that has no leader. */
  readonly #writing = new Set<Promise<void>>();

  constructor(parts: BooksParts) {
    this.#parts = parts;
  }

  async start(): Promise<void> {
    this.#running = this.#run();
  }

  /** Hands over what is left. What the lanes cannot write until they end is lost. */
  async stop(signal: AbortSignal): Promise<void> {
    this.#stopping.abort();
    await this.#running;
    this.#write();
    this.#ended = true;
    const waited = this.#parts.clock.sleep(LIMITS.booksStopMs, signal).catch(() => undefined);
    await Promise.race([Promise.all(this.#writing), waited]);
  }

  refused(booked: Booked, reason: RefusalReason): void {
    this.#add(booked, 'refused', reason);
  }

  /** Answered with success. */
  acked(booked: Booked): void {
    this.#add(booked, 'acked', '');
  }

  /** In the raw log, and the client was told that it may not be. */
  unanswered(booked: Booked): void {
    this.#add(booked, 'unanswered', '');
  }

  #add(
    { tenant, signal, items, bytes, receivedAtNs }: Booked,
    outcome: Usage['outcome'],
    reason: Usage['reason'],
  ): void {
    if (this.#ended) {
      this.#parts.onLost(items);
      return;
    }
    const minute = this.#fullMinute ?? minuteOf(receivedAtNs);
    this.#tally.add({ tenant, signal, minute, outcome, reason, items, bytes });
    if (this.#tally.size >= LIMITS.bookRowsMax) this.#fullMinute ??= minute;
  }

  async #run(): Promise<void> {
    while (!this.#stopping.signal.aborted) {
      await this.#parts.clock.sleep(LIMITS.booksMs, this.#stopping.signal).catch(() => undefined);
      if (!this.#stopping.signal.aborted && this.#writing.size < LIMITS.notesWaitingMax) this.#write();
    }
  }

  /** Hands over what there is, without waiting for it. */
  #write(): void {
    const usage = this.#tally.entries();
    this.#tally = new UsageTally();
    this.#fullMinute = undefined;
    for (let from = 0; from < usage.length; from += LIMITS.noteRowsMax) {
      const part = usage.slice(from, from + LIMITS.noteRowsMax);
      const written = this.#parts.write(part).then((done) => {
        if (!done) this.#parts.onLost(part.reduce((sum, { items }) => sum + items, 0));
        this.#writing.delete(written);
      });
      this.#writing.add(written);
    }
  }
}

/** How an answer stands in the books. */
export function bookedAs(
  tenant: string,
  signal: SignalKind,
  answer: { readonly items?: number; readonly bytes?: number },
  nowNs: bigint,
): Booked {
  return { tenant, signal, items: answer.items ?? 0, bytes: answer.bytes ?? 0, receivedAtNs: nowNs };
}
