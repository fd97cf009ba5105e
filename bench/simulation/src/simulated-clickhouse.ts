import type { BlocksInsert, ClickHouse } from '@weir/clickhouse';
import { DependencyError } from '@weir/pipeline';
import type { VirtualTime } from '@weir/testkit';
import type { Rule } from './rules.ts';
import { CORRUPT } from './simulated-blocks.ts';
import { idsOfRow } from './simulated-books.ts';

/** ClickHouse as the sink uses it. */
export type Inserts = Pick<ClickHouse, 'insertBlocks'>;

/** How often an insert goes wrong, each from 0 to 1. */
export interface InsertFaults {
  /** Applied, and the answer lost. */
  readonly answerLost: number;
  /** Applied after the client has given up. */
  readonly late: number;
  /** Never applied. */
  readonly lost: number;
}

const LATENCY_MS = 15;
const CLIENT_TIMEOUT_MS = 60;
const LATE_MS_MAX = 1_500;
/** Tokens that a table remembers: fewer than the inserts of a run, as in the real one. */
const WINDOW = 400;
/** An item whose name ends so is one that ClickHouse refuses. */
export const BAD = '!';
/** One with which it refuses other rows for a while, and never alone. */
export const DOUBTFUL = '?';
/** One that it refuses for a while, with others and alone. */
export const PASSING = '~';
/** One on which a view throws: the table has the rows then, and the insert fails. */
export const OFFENDING = '^';
const DOUBTFUL_MS = 300;
/** What tells the token of one lane from that of another. */
const LANE = /:lane-\d+/;

/** Tables of ids that drop an insert whose token they know, as ClickHouse does within its window. */
export class SimulatedClickHouse {
  readonly #time: VirtualTime;
  readonly #without: Rule | undefined;
  readonly #onApplied: (token: string, ids: string) => void;
  readonly #tokens = new Map<string, string[]>();
  readonly #seenMs = new Map<string, number>();
  faults: InsertFaults;
  /** How often each id is stored. */
  readonly counts = new Map<string, number>();
  /** Sums of what the sinks booked, by outcome. */
  readonly booked = new Map<string, number>();

  constructor(
    time: VirtualTime,
    faults: InsertFaults,
    without: Rule | undefined,
    onApplied: (token: string, ids: string) => void,
  ) {
    this.#onApplied = onApplied;
    this.#time = time;
    this.faults = faults;
    this.#without = without;
  }

  /**
   * @param isOwner whether the sink that inserts is still an owner: for a former owner no refusal passes. That one
   * of its inserts is taken just when a refusal of it has been recorded and has passed is what ADR 0011 leaves open.
   */
  async insertBlocks(insert: BlocksInsert, isOwner: () => boolean): Promise<void> {
    const ids = insert.frames.flatMap((frame) => frame.toString().split(','));
    const chance = this.#time.random();
    await this.#time.sleep(this.#time.random() * LATENCY_MS);
    const doubt = this.#time.nowMs() - this.#firstSeen(insert.token) < DOUBTFUL_MS || !isOwner();
    if (ids.some((id) => isRefused(id, doubt, ids.length > 1))) {
      throw new DependencyError('clickhouse', 'rejected', 'a row is refused', { retryable: false });
    }
    const viewsMayFail = insert.viewsMayFail === true && this.#without !== 'view';
    if (!viewsMayFail && ids.some((id) => id.endsWith(OFFENDING))) {
      this.#apply(insert, ids);
      throw new DependencyError('clickhouse', 'rejected', 'a view throws', { retryable: false });
    }
    const { answerLost, late, lost } = this.faults;
    if (chance >= answerLost + late + lost) {
      this.#apply(insert, ids);
      await this.#time.sleep(this.#time.random() * LATENCY_MS);
      return;
    }
    if (chance < answerLost) this.#apply(insert, ids);
    else if (chance < answerLost + late) {
      this.#time.at(this.#time.random() * LATE_MS_MAX, () => this.#apply(insert, ids));
    }
    await this.#time.sleep(CLIENT_TIMEOUT_MS);
    throw new DependencyError('clickhouse', 'timeout', 'no answer', { retryable: true });
  }

  #firstSeen(token: string): number {
    const seen = this.#seenMs.get(token) ?? this.#time.nowMs();
    this.#seenMs.set(token, seen);
    return seen;
  }

  #apply({ table, ...insert }: BlocksInsert, ids: readonly string[]): void {
    const token = this.#without === 'lane' ? insert.token.replace(LANE, '') : insert.token;
    const known = this.#tokens.get(table) ?? [];
    this.#tokens.set(table, known);
    if (this.#without !== 'token' && known.includes(token)) return;
    known.push(token);
    if (known.length > WINDOW) known.shift();
    this.#onApplied(token, ids.join(','));
    for (const id of ids) {
      const [outcome = '', items] = id.split('=');
      if (items === undefined) {
        for (const each of idsOfRow(id)) this.counts.set(each, (this.counts.get(each) ?? 0) + 1);
      } else this.booked.set(outcome, (this.booked.get(outcome) ?? 0) + Number(items));
    }
  }
}

function isRefused(id: string, doubt: boolean, hasOthers: boolean): boolean {
  if (id.endsWith(BAD) || id.endsWith(CORRUPT)) return true;
  return doubt && (id.endsWith(PASSING) || (hasOthers && id.endsWith(DOUBTFUL)));
}
