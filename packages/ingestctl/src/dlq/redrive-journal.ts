import { appendUntilAcked, type Log } from '@weir/delivery';
import type { Clock } from '@weir/pipeline';
import { CONTROL_TOPICS, decodeRedriveEntry, encodeRedriveEntry, type RedriveEntry } from '@weir/records';
import { RedriveBook } from './redrive-book.ts';

const PARTITION = 0;
const READ = { maxBytes: 4 * 1024 ** 2, maxWaitMs: 500 };

/** The journal of redrives: what is put is known to be there, and so is all that stands before it. */
export class RedriveJournal {
  readonly book = new RedriveBook();
  readonly #log: Log;
  readonly #clock: Clock;
  #next = 0;

  constructor(log: Log, clock: Clock) {
    this.#log = log;
    this.#clock = clock;
  }

  /** Reads what there is. */
  async refresh(signal: AbortSignal): Promise<void> {
    const { start, end } = await this.#log.bounds(CONTROL_TOPICS.redrives, PARTITION, signal);
    await this.#readTo(Math.max(start, this.#next), end, signal);
  }

  /** Appends an entry, however long it takes, and reads up to it: the book then says whether it counts. */
  async put(entry: RedriveEntry, signal: AbortSignal): Promise<void> {
    const record = { key: null, value: encodeRedriveEntry(entry), meta: null };
    const offset = await appendUntilAcked(this.#log, this.#clock, CONTROL_TOPICS.redrives, PARTITION, [record], signal);
    await this.#readTo(this.#next, offset + 1, signal);
  }

  async #readTo(from: number, end: number, signal: AbortSignal): Promise<void> {
    this.#next = from;
    while (this.#next < end) {
      const page = await this.#log.read(CONTROL_TOPICS.redrives, PARTITION, this.#next, READ, signal);
      for (const { value } of page.records) {
        const decoded = decodeRedriveEntry(value);
        // To pass over an entry would be to send in again what has been: a newer version of this command knows better.
        if (!decoded.ok) throw new Error(`weir.redrives has an entry that cannot be read: ${decoded.message}`);
        this.book.apply(decoded.value);
      }
      this.#next = page.nextOffset;
    }
  }
}
