import {
  type Committed,
  fillLostEnd,
  findLostEnd,
  type LostEnd,
  ProgressLog,
  reaching,
  recutBroken,
  type SourceAndRows,
  sinkPosition,
} from '@weir/delivery';
import { CONTROL_TOPICS, decodeProgress, decodeRowsMeta, isNote, progressKey } from '@weir/records';
import type { SimulatedLog, VirtualTime } from '@weir/testkit';
import { idNumber } from './simulated-blocks.ts';
import { isBooked } from './simulated-books.ts';
import type { SimulatedGroup } from './simulated-group.ts';
import { SimulatedProcess } from './simulated-process.ts';

/** How often a log loses nothing, and how many records one loses at most; how many writes of a group's positions go. */
const KEPT_SHARE = 0.3;
const LOST_MAX = 30;
const LOST_WRITES_MAX = 10;

/** What fails. */
export interface Powered {
  readonly log: SimulatedLog;
  readonly time: VirtualTime;
  readonly rawTopic: string;
  readonly rowsTopic: string;
  readonly partitions: readonly number[];
  readonly raw: SimulatedGroup;
  readonly rows: SimulatedGroup;
  /** Whether weir.progress is on the disk before it answers. */
  readonly isFlushed: boolean;
  readonly say: (what: string) => void;
}

/** A broker that loses the ends of its logs with the power, while no process runs; and who fills them up before any does. */
export class PowerFailure {
  readonly #powered: Powered;
  /** Ids from this on are of exports that were made later. */
  readonly #idsBefore: number;
  /** Of the others, those that the raw logs still have. */
  readonly #left: ReadonlySet<number>;
  /** Those that sinks had not settled, so that they may just have been stored. */
  readonly #open: ReadonlySet<number>;

  constructor(powered: Powered, idsBefore: number) {
    this.#powered = powered;
    this.#idsBefore = idsBefore;
    const { log, rawTopic, rowsTopic, partitions, raw, rows, isFlushed } = powered;
    this.#open = this.#unsettled();
    for (const group of [raw, rows]) group.restart(this.#lost(LOST_WRITES_MAX));
    for (const topic of [rawTopic, rowsTopic]) for (const partition of partitions) this.#loseEnd(topic, partition);
    if (!isFlushed) this.#loseEnd(CONTROL_TOPICS.progress, 0);
    const left = partitions.flatMap((partition) => log.records(rawTopic, partition));
    const ids = left.filter(({ meta }) => !isNote(meta)).flatMap(({ value }) => String(value).split(','));
    this.#left = new Set(ids.map(idNumber));
  }

  /** As the operator's command does. */
  async fill(): Promise<void> {
    const { log, time, rawTopic, rowsTopic, partitions, raw, rows, say } = this.#powered;
    const { signal } = new AbortController();
    const { clock } = new SimulatedProcess('operator', time);
    const edge = Math.floor(time.random() * 2 ** 52)
      .toString(16)
      .padStart(16, '0');
    const progress = new ProgressLog(log, rowsTopic);
    const kept = await progress.read(partitions, signal);
    const history = await progress.history(partitions, signal);
    const stored = new Map<number, Committed>();
    const found = new Map<number, LostEnd>();
    const places = (partition: number): SourceAndRows => ({ log, clock, rawTopic, rowsTopic, partition });
    for (const partition of partitions) {
      const position = sinkPosition(rows.committed(partition), kept.get(partition) ?? null);
      if (position !== null) stored.set(partition, position);
      const recorded = { raw: raw.committed(partition), rows: position, earlier: history.get(partition)! };
      found.set(partition, await findLostEnd(places(partition), recorded, signal));
    }
    const ends = new Map([...found].map(([partition, lost]) => [partition, lost.rows]));
    const recut = recutBroken(stored, ends);
    for (const [partition, position] of recut) rows.place(partition, position);
    const positions = new Map([...stored, ...recut]);
    // An append of it may have no answer; what is said twice is said once.
    for (let isKept = positions.size === 0; !isKept; )
      isKept = await progress.put(positions, signal).then(
        () => true,
        () => false,
      );
    for (const [partition, lost] of found) {
      say(`${partition} is filled up: ${JSON.stringify(lost)}`);
      await fillLostEnd(
        places(partition),
        reaching(lost, recut.get(partition)),
        edge,
        async (from) => raw.place(partition, from),
        signal,
      );
    }
  }

  /** Whether an id must be there if it was acknowledged: all but what went with the power. */
  isOwed(id: string): boolean {
    return this.#isLater(id) || this.#left.has(idNumber(id));
  }

  /** Whether it must not be there twice: what was being stored when the power failed may be. */
  isOnce(id: string): boolean {
    return !isBooked(id) && !this.#open.has(idNumber(id));
  }

  #isLater(id: string): boolean {
    return idNumber(id) >= this.#idsBefore;
  }

  /** Ids in rows records from where the sinks stood by what they had recorded last: what they settled next may be unknown. */
  #unsettled(): Set<number> {
    const { log, rowsTopic, partitions } = this.#powered;
    const ids = new Set<number>();
    for (const partition of partitions) {
      for (const { meta, value } of log.records(rowsTopic, partition).slice(this.#recorded(partition))) {
        const decoded = decodeRowsMeta(meta, value?.length ?? 0);
        if (!decoded.ok || decoded.value.kind !== 'rows') continue;
        for (const { start, end } of decoded.value.sections)
          for (const id of value!.toString('utf8', start, end).split(',')) if (!isBooked(id)) ids.add(idNumber(id));
      }
    }
    return ids;
  }

  #recorded(partition: number): number {
    const { log, rowsTopic } = this.#powered;
    const key = progressKey(rowsTopic, partition);
    const positions = log.records(CONTROL_TOPICS.progress, 0).filter((record) => record.key?.toString() === key);
    return positions.reduce((furthest, { value }) => {
      const decoded = decodeProgress(value);
      return decoded.ok ? Math.max(furthest, decoded.value.offset) : furthest;
    }, 0);
  }

  #lost(most: number): number {
    return Math.floor(Math.max(0, this.#powered.time.random() - KEPT_SHARE) * most);
  }

  #loseEnd(topic: string, partition: number): void {
    const { log, say } = this.#powered;
    const records = this.#lost(LOST_MAX);
    log.loseEnd(topic, partition, records);
    say(`loses the last ${records} records of ${topic}/${partition}`);
  }
}
