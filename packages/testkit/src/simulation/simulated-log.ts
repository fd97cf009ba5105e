import type { Log, LogRecord, NewRecord } from '@weir/delivery';
import { DependencyError } from '@weir/pipeline';
import type { VirtualTime } from './virtual-time.ts';

/** How often things go wrong, each from 0 to 1. */
export interface LogFaults {
  /** Appended, and the answer lost. */
  readonly answerLost: number;
  /** Appended later, after the client has given up. */
  readonly late: number;
  /** Never appended. */
  readonly lost: number;
}

const LATENCY_MS = 5;
const CLIENT_TIMEOUT_MS = 40;
const LATE_MS_MAX = 400;

/** Partitions of a log that loses answers and appends late, as a Kafka behind a bad network does. */
export class SimulatedLog implements Log {
  readonly #time: VirtualTime;
  readonly #partitions = new Map<string, LogRecord[]>();
  /** First offset that is retained, where that is not 0. */
  readonly #starts = new Map<string, number>();
  /** What was on its way to a broker that fails does not arrive. */
  #failures = 0;
  faults: LogFaults;

  constructor(time: VirtualTime, faults: LogFaults) {
    this.#time = time;
    this.faults = faults;
  }

  records(topic: string, partition: number): readonly LogRecord[] {
    return this.#log(topic, partition);
  }

  /** Lets go of all that a partition has, as after its retention; its end stays. */
  letGo(topic: string, partition: number): void {
    this.#starts.set(`${topic}/${partition}`, this.#log(topic, partition).length);
  }

  /** The broker loses power: the last records of a partition are gone, and so is what was on its way. */
  loseEnd(topic: string, partition: number, records: number): void {
    const log = this.#log(topic, partition);
    log.length = Math.max(this.#start(topic, partition), log.length - records);
    this.#failures++;
  }

  async read(topic: string, partition: number, offset: number, options: { maxWaitMs: number }, signal: AbortSignal) {
    const log = this.#log(topic, partition);
    await this.#time.sleep(this.#time.random() * LATENCY_MS, signal);
    if (log.length <= offset) await this.#time.sleep(Math.min(options.maxWaitMs, 50), signal);
    const startOffset = this.#start(topic, partition);
    if (offset < startOffset) throw new DependencyError('kafka', 'rejected', 'out of range', { retryable: false });
    const records = log.slice(offset, offset + 1 + Math.floor(this.#time.random() * 4));
    return { records, nextOffset: offset + records.length, startOffset, endOffset: log.length };
  }

  async bounds(topic: string, partition: number, signal: AbortSignal) {
    await this.#time.sleep(this.#time.random() * LATENCY_MS, signal);
    return { start: this.#start(topic, partition), end: this.#log(topic, partition).length };
  }

  async append(topic: string, partition: number, records: readonly NewRecord[]): Promise<number> {
    const failures = this.#failures;
    const chance = this.#time.random();
    const { answerLost, late, lost } = this.faults;
    await this.#time.sleep(this.#time.random() * LATENCY_MS);
    const put = () => {
      if (this.#failures !== failures) throw new DependencyError('kafka', 'timeout', 'no answer', { retryable: true });
      const log = this.#log(topic, partition);
      const first = log.length;
      for (const record of records) log.push({ ...record, offset: log.length, timestampMs: 0 });
      return first;
    };
    if (chance >= answerLost + late + lost) {
      const first = put();
      await this.#time.sleep(this.#time.random() * LATENCY_MS);
      return first;
    }
    if (chance < answerLost) put();
    else if (chance < answerLost + late) {
      this.#time.at(this.#time.random() * LATE_MS_MAX, () => {
        if (this.#failures === failures) put();
      });
    }
    await this.#time.sleep(CLIENT_TIMEOUT_MS);
    throw new DependencyError('kafka', 'timeout', 'no answer', { retryable: true });
  }

  #start(topic: string, partition: number): number {
    return this.#starts.get(`${topic}/${partition}`) ?? 0;
  }

  #log(topic: string, partition: number): LogRecord[] {
    const key = `${topic}/${partition}`;
    const found = this.#partitions.get(key) ?? [];
    this.#partitions.set(key, found);
    return found;
  }
}
