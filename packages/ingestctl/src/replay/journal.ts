import { type ClickHouse, quoteText, tableName } from '@weir/clickhouse';
import type { EdgeMark } from '@weir/records';
import { Refused } from '../refused.ts';
import type { ReplayPlan } from './plan.ts';

/** A batch that is in the shadow: its range, what became of it, and where the edges stood behind it. */
export interface DoneBatch {
  readonly partition: number;
  readonly first: number;
  readonly last: number;
  readonly tally: BatchTally;
  readonly marks: readonly EdgeMark[];
}

/** What became of the records of a batch. */
export interface BatchTally {
  /** Rows by table. */
  readonly rows: Readonly<Record<string, number>>;
  /** Items that cannot be stored, by reason. */
  readonly dead: Readonly<Record<string, number>>;
  /** Records that were a repeated or late append. */
  readonly repeated: number;
}

/** What the journal has of one replay. */
export interface ReplayState {
  readonly plan: ReplayPlan;
  readonly at: string;
  /** In the order of partitions and offsets. */
  readonly batches: readonly DoneBatch[];
  readonly isDone: boolean;
  /** How often it was promoted to the end. */
  readonly promotions: number;
  /** Whether the last of them left raw records as they were, and rows of them out. */
  readonly isPartly: boolean;
  /** How often it was promoted, those where rows were still missing in the end, too. */
  readonly rounds: number;
  /** Promotions that run, or were cut off, or left rows missing, and that no later one has ended. The first one first. */
  readonly open: readonly OpenPromotion[];
}

/** A promotion of which nobody has said that it came to its end. */
export interface OpenPromotion {
  /** Random id of the run; empty where an older version of this command did not write one down. */
  readonly run: string;
  /** ms since the epoch, by the clock of ClickHouse. */
  readonly atMs: number;
}

/**
 * `promoting` stands before all that a promotion changes; `withdrawn` ends the one of its run, which changed nothing; `promoted` ends
 * those that it names, which are its own and those that were there when it began.
 */
type Event = 'planned' | 'batch' | 'done' | 'promoting' | 'withdrawn' | 'promoted' | 'round' | 'dropped';

interface Line {
  readonly Replay: string;
  readonly Event: Event;
  readonly Partition: number;
  readonly First: string;
  readonly Last: string;
  readonly Detail: string;
  readonly At: string;
  readonly AtMs: string;
}

type Range = Pick<DoneBatch, 'partition' | 'first' | 'last'>;

const ID = /^\d{8}_\d{6}_[0-9a-f]{4}$/;
const COLUMNS =
  'Replay, Event, Partition, toString(First) AS First, toString(Last) AS Last, Detail, toString(At) AS At, toString(toUnixTimestamp64Milli(weir_replays.At)) AS AtMs';

/** What is known of replays: lines of weir_replays, only ever added. A line twice says nothing more. */
export class ReplayJournal {
  readonly #clickhouse: ClickHouse;
  readonly #database: string;

  constructor(clickhouse: ClickHouse, database: string) {
    this.#clickhouse = clickhouse;
    this.#database = database;
  }

  planned(plan: ReplayPlan, signal: AbortSignal): Promise<void> {
    return this.#put(plan.id, 'planned', { detail: plan }, signal);
  }

  batch(id: string, { partition, first, last, tally, marks }: DoneBatch, signal: AbortSignal): Promise<void> {
    return this.#put(id, 'batch', { partition, first, last, detail: { tally, marks } }, signal);
  }

  /** One of the events that are about the whole replay. */
  told(id: string, event: Exclude<Event, 'planned' | 'batch'>, detail: object, signal: AbortSignal): Promise<void> {
    return this.#put(id, event, { detail }, signal);
  }

  /** @throws Refused where there is no such replay, or it was dropped */
  async read(id: string, signal: AbortSignal): Promise<ReplayState> {
    if (!ID.test(id)) throw new Refused(`${id} is not the id of a replay: see ingestctl shadow list`);
    const lines = await this.#clickhouse.query<Line>(
      `SELECT ${COLUMNS} FROM {database: Identifier}.weir_replays WHERE Replay = {id: String} ORDER BY Event, Partition, toUInt64(First), Last, At`,
      { database: this.#database, id },
      signal,
    );
    const planned = lines.find(({ Event }) => Event === 'planned');
    if (planned === undefined) throw new Refused(`there is no replay ${id}: see ingestctl shadow list`);
    if (lines.some(({ Event }) => Event === 'dropped')) throw new Refused(`the shadow of ${id} was dropped`);
    return stateOf(planned, lines);
  }

  /** All replays that were not dropped, the newest first; without their batches. */
  async list(signal: AbortSignal): Promise<readonly ReplayState[]> {
    const lines = await this.#clickhouse.query<Line>(
      `SELECT ${COLUMNS} FROM {database: Identifier}.weir_replays WHERE Event != 'batch' ORDER BY Replay DESC, At`,
      { database: this.#database },
      signal,
    );
    const byId = Map.groupBy(lines, ({ Replay }) => Replay);
    const states: ReplayState[] = [];
    for (const of of byId.values()) {
      const planned = of.find(({ Event }) => Event === 'planned');
      if (planned !== undefined && of.every(({ Event }) => Event !== 'dropped')) states.push(stateOf(planned, of));
    }
    return states;
  }

  async #put(
    id: string,
    event: Event,
    { partition = 0, first = 0, last = 0, detail }: Partial<Range> & { readonly detail: object },
    signal: AbortSignal,
  ): Promise<void> {
    const values = [quoteText(id), quoteText(event), partition, first, last, quoteText(JSON.stringify(detail))].join(
      ', ',
    );
    await this.#clickhouse.command(
      `INSERT INTO ${this.#table} (Replay, Event, Partition, First, Last, Detail) SETTINGS async_insert = 0 VALUES (${values})`,
      signal,
    );
  }

  get #table(): string {
    return tableName({ database: this.#database }, 'weir_replays');
  }
}

function stateOf(planned: Line, lines: readonly Line[]): ReplayState {
  const batches = new Map<string, DoneBatch>();
  for (const { Event, Partition, First, Last, Detail } of lines) {
    if (Event !== 'batch') continue;
    const detail = JSON.parse(Detail) as Pick<DoneBatch, 'tally' | 'marks'>;
    const batch = { partition: Number(Partition), first: Number(First), last: Number(Last), ...detail };
    batches.set(`${Partition}/${First}`, batch);
  }
  const promoted = lines
    .filter(({ Event }) => Event === 'promoted')
    .map(({ Detail }) => JSON.parse(Detail) as Promoted);
  return {
    plan: JSON.parse(planned.Detail) as ReplayPlan,
    at: planned.At,
    batches: [...batches.values()].sort((a, b) => a.partition - b.partition || a.first - b.first),
    isDone: lines.some(({ Event }) => Event === 'done'),
    promotions: promoted.length,
    isPartly: (promoted.at(-1)?.leftOutRows ?? 0) > 0,
    rounds: lines.filter(({ Event }) => Event === 'promoted' || Event === 'round').length,
    open: openPromotions(lines),
  };
}

/** What a line says of a promotion that came to its end; older ones do not say which they end. */
interface Promoted {
  readonly ended?: readonly string[];
  readonly leftOutRows?: number;
}

/** One that began in the millisecond in which another one ended counts as open: to end it again does no harm. */
function openPromotions(lines: readonly Line[]): readonly OpenPromotion[] {
  const runOf = ({ Detail }: Line) => (JSON.parse(Detail) as { run?: string }).run ?? '';
  const promoted = lines
    .filter(({ Event }) => Event === 'promoted')
    .map(({ Detail, AtMs }) => ({ endedMs: Number(AtMs), ...(JSON.parse(Detail) as Promoted) }));
  const withdrawn = new Set(lines.filter(({ Event }) => Event === 'withdrawn').map(runOf));
  const isEnded = ({ run, atMs }: OpenPromotion) =>
    promoted.some(({ endedMs, ended }) => (run === '' || ended === undefined ? atMs < endedMs : ended.includes(run)));
  return lines
    .filter(({ Event }) => Event === 'promoting' || Event === 'round')
    .map((line) => ({ run: line.Event === 'round' ? '' : runOf(line), atMs: Number(line.AtMs) }))
    .filter((one) => !isEnded(one) && (one.run === '' || !withdrawn.has(one.run)))
    .sort((a, b) => a.atMs - b.atMs);
}
