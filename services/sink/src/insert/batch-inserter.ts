import type { ClickHouse } from '@weir/clickhouse';
import { type CutLedger, insertToken, type Log, RefusedUnits, type Unit } from '@weir/delivery';
import { type Clock, DependencyError, faultPoint } from '@weir/pipeline';
import { MIXED_LANE, type TableName } from '@weir/records';
import type { Batch, BatchCut } from '../batches.ts';
import { LIMITS } from '../limits.ts';
import { Corrections, type DeadRows, deadRowsOf } from './dead-rows.ts';
import { DeadLetters, type LetterEvents } from './letters.ts';
import { type Part, partNumber, partsOf, rangesOf } from './parts.ts';
import { NATIVE_BLOCKS, OpenBlocks, type RowBlocks } from './row-blocks.ts';
import { Semaphore } from './semaphore.ts';

/** What an inserter tells while it works. */
export interface InsertEvents extends LetterEvents {
  /** Rows were taken only because a view that throws on them was passed over. */
  passedOverView(table: TableName): void;
  inserted(table: TableName, rows: number, bytes: number, seconds: number): void;
  /** Passes by itself, and is tried again. */
  failed(table: TableName, error: DependencyError, retryInMs: number, partitions: readonly number[]): void;
  /** Refused for good, as a whole: told apart then. */
  refused(table: TableName): void;
}

/** A cut on its way in. */
interface Work {
  readonly cut: BatchCut;
  readonly ledger: CutLedger;
  readonly signal: AbortSignal;
  readonly corrections: Corrections;
  readonly blocks: OpenBlocks;
  /** How many more units of it may be split. */
  splitsLeft: number;
}

/** One insert. */
interface Insert {
  readonly table: TableName;
  /** Called when it is its turn: what waits holds no bytes. */
  readonly frames: () => readonly Buffer[];
  readonly rows: number;
  readonly token: string;
  readonly viewsMayFail?: boolean;
}

/** What the simulation has otherwise. */
export interface InserterSeams {
  readonly blocks: RowBlocks;
  readonly splitsMax: number;
  readonly laneRowsMin: number;
}

const SEAMS: InserterSeams = {
  blocks: NATIVE_BLOCKS,
  splitsMax: LIMITS.splitsMax,
  laneRowsMin: LIMITS.laneRowsMin,
};

/**
 * Inserts cuts, each part under its token. While ClickHouse cannot take a part it is tried again without end. A
 * part that ClickHouse refuses is split into halves, and those that are refused again, down to the rows that are refused alone:
 * these go to weir.dlq. What was refused is recorded in the cut before anything is done about it, so that each row is
 * decided once, in the table or in the DLQ, whoever goes on with it.
 */
export class BatchInserter {
  readonly #clickhouse: Pick<ClickHouse, 'insertBlocks'>;
  readonly #letters: DeadLetters;
  readonly #topic: string;
  readonly #clock: Clock;
  readonly #events: InsertEvents;
  readonly #blocks: RowBlocks;
  readonly #splitsMax: number;
  readonly #laneRowsMin: number;
  readonly #slots = new Semaphore(LIMITS.insertsMax);

  constructor(
    clickhouse: Pick<ClickHouse, 'insertBlocks'>,
    log: Log,
    topic: string,
    clock: Clock,
    events: InsertEvents,
    seams: InserterSeams = SEAMS,
  ) {
    this.#clickhouse = clickhouse;
    this.#letters = new DeadLetters(log, topic, clock, events);
    this.#topic = topic;
    this.#clock = clock;
    this.#events = events;
    this.#blocks = seams.blocks;
    this.#splitsMax = seams.splitsMax;
    this.#laneRowsMin = seams.laneRowsMin;
  }

  /** Whether it pays to insert the batches lane by lane: then their cut must say so. */
  paysApart(ranges: readonly Batch[]): boolean {
    return partsOf({ ranges, apart: true }, this.#laneRowsMin).some(({ lane }) => lane !== MIXED_LANE);
  }

  /**
   * Resolves once all rows of the cut are in ClickHouse, or in weir.dlq and the books say so.
   * @throws DependencyError `fenced` when the group has another generation; the signal's reason
   */
  async insert(cut: BatchCut, ledger: CutLedger, signal: AbortSignal): Promise<void> {
    const blocks = new OpenBlocks(this.#blocks);
    // What fails ends all that is under way: whoever takes the batch up again must be alone with it.
    const failing = new AbortController();
    const either = AbortSignal.any([signal, failing.signal]);
    const work = { cut, ledger, signal: either, blocks, corrections: new Corrections(), splitsLeft: this.#splitsMax };
    const parts = partsOf(cut, this.#laneRowsMin).map((part) => ({ part, units: this.#units(cut, part) }));
    for (const { units } of parts) work.splitsLeft -= units.splits;
    const under = [
      this.#letters.bury(cut, either),
      ...parts.map(({ part, units }) => this.#insertPart(work, part, units)),
    ];
    await Promise.allSettled(under.map((each) => each.catch((error) => failing.abort(error))));
    either.throwIfAborted();
    await this.#correct(work);
  }

  #units(cut: BatchCut, part: Part): RefusedUnits {
    const blockRows = part.blocks.map(({ rows }) => rows);
    return new RefusedUnits(blockRows, this.#token(part, cut), cut.refused.get(partNumber(part)));
  }

  #token({ table, lane }: Pick<Part, 'table' | 'lane'>, { ranges }: BatchCut): string {
    return insertToken(table, this.#topic, ranges[0]!, lane);
  }

  /** Level by level: what is refused of one level is recorded together, and then its halves are the next level. */
  async #insertPart(work: Work, part: Part, units: RefusedUnits): Promise<void> {
    for (let level: readonly Unit[] = [units.root]; level.length > 0; ) {
      const open = level.filter(({ state }) => state === 'whole');
      const refusals = await Promise.all(open.map((unit) => this.#insertUnit(work, part, unit)));
      const refused = open.filter((_, at) => refusals[at] !== undefined);
      const whys = new Map(open.map((unit, at) => [unit, refusals[at]]));
      for (const unit of refused) this.#decide(work, part, units, unit);
      if (refused.length > 0) await this.#record(work, part, units);
      const dead = level.filter(({ state }) => state === 'dead');
      if (dead.length > 0) await this.#letters.send(deadRows(work, part, dead, whys), work.signal);
      level = level.flatMap(({ halves }) => halves ?? []);
    }
  }

  /** Split, where it can be and the cut has room for it; else it goes to weir.dlq as it is. */
  #decide(work: Work, part: Part, units: RefusedUnits, unit: Unit): void {
    const ranges = rangesOf(part, unit.from, unit.to);
    const only = ranges.length === 1 ? ranges[0] : undefined;
    const isReadable = () => only === undefined || work.blocks.open(part.table, only.block) !== undefined;
    if (work.splitsLeft > 0 && unit.to - unit.from > 1 && isReadable()) {
      units.split(unit);
      work.splitsLeft--;
    } else units.bury(unit);
  }

  /** Tried until it is recorded: nothing may be done about it before. */
  async #record({ ledger, signal }: Work, part: Part, units: RefusedUnits): Promise<void> {
    for (;;) {
      try {
        return await ledger.refuse(partNumber(part), units.marks, signal);
      } catch (error) {
        signal.throwIfAborted();
        if (!(error instanceof DependencyError) || !error.retryable) throw error;
        await this.#clock.sleep(LIMITS.insertRetryMs, signal);
      }
    }
  }

  /** The rows of a letter were booked as stored. What the cut has recorded says which, so whoever repeats it writes the same. */
  async #correct(work: Work): Promise<void> {
    const { usage } = work.corrections;
    if (usage.size === 0) return;
    const table = 'weir_usage';
    const frame = this.#blocks.usage(usage.entries());
    const token = `${this.#token({ table, lane: MIXED_LANE }, work.cut)}:dead`;
    const insert = { table, frames: () => [frame], rows: usage.size, token } as const;
    // Nothing is wrong with these rows: where they are refused an operator has something to put right.
    while ((await this.#take(work, insert)) !== undefined)
      await this.#clock.sleep(LIMITS.insertRetryMsMax, work.signal);
    faultPoint('sink.after_correction');
  }

  #insertUnit(work: Work, part: Part, { from, to, token }: Unit): Promise<DependencyError | undefined> {
    // Only a block that could be read is cut.
    const frames = () =>
      rangesOf(part, from, to).map(({ block, from: first, to: end }) =>
        first === 0 && end === block.rows ? block.frame : work.blocks.open(part.table, block)!.slice(first, end),
      );
    return this.#take(work, { table: part.table, frames, rows: to - from, token });
  }

  /**
   * Why the table refuses the rows; undefined once it has them. A materialized view that throws makes an insert fail too, and
   * then the rows are in the table: so what is refused is tried again without views having a say, under the same token.
   */
  async #take(work: Work, insert: Insert): Promise<DependencyError | undefined> {
    if ((await this.#insert(work, insert)) === undefined) return undefined;
    const refusal = await this.#insert(work, { ...insert, viewsMayFail: true });
    if (refusal === undefined) this.#events.passedOverView(insert.table);
    return refusal;
  }

  /** Why ClickHouse refuses the rows for good; undefined once it has taken them. */
  async #insert(
    { cut, ledger, signal }: Work,
    { frames: take, ...insert }: Insert,
  ): Promise<DependencyError | undefined> {
    for (let delayMs: number = LIMITS.insertRetryMs; ; delayMs = Math.min(delayMs * 2, LIMITS.insertRetryMsMax)) {
      try {
        await this.#slots.run(async () => {
          await ledger.confirm(signal);
          const frames = take();
          const startedMs = this.#clock.nowMs();
          faultPoint('sink.in_insert');
          await this.#clickhouse.insertBlocks({ ...insert, frames }, signal);
          faultPoint('sink.after_insert');
          const bytes = frames.reduce((sum, frame) => sum + frame.length, 0);
          this.#events.inserted(insert.table, insert.rows, bytes, (this.#clock.nowMs() - startedMs) / 1_000);
        });
        return undefined;
      } catch (error) {
        signal.throwIfAborted();
        if (!(error instanceof DependencyError) || error.code === 'fenced') throw error;
        if (error.dependency === 'clickhouse') {
          if (!error.retryable) {
            this.#events.refused(insert.table);
            return error;
          }
          const partitions = cut.ranges.map(({ partition }) => partition);
          this.#events.failed(insert.table, error, delayMs, partitions);
        } else if (!error.retryable) throw error;
      }
      await this.#clock.sleep(delayMs, signal);
    }
  }
}

/** The rows of dead units as letters, counted for the books as they are taken. */
function* deadRows(
  work: Work,
  part: Part,
  dead: readonly Unit[],
  whys: ReadonlyMap<Unit, DependencyError | undefined>,
): Generator<DeadRows & { readonly why?: string }> {
  for (const unit of dead) {
    const { from, to } = unit;
    // Of several rows ClickHouse says what is wrong with one, which may be another tenant's.
    const why = to - from === 1 ? whys.get(unit)?.message : undefined;
    for (const rows of deadRowsOf(part, from, to, work.blocks)) {
      work.corrections.add(rows);
      yield why === undefined ? rows : { ...rows, why };
    }
  }
}
