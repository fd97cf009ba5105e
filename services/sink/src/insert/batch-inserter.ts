import type { ClickHouse } from '@weir/clickhouse';
import { type CutLedger, insertToken, type Log } from '@weir/delivery';
import { type Clock, DependencyError, faultPoint } from '@weir/pipeline';
import { CONTROL_TOPICS, type DlqMeta, dlqKey, encodeDlqMeta, TABLES, type TableName } from '@weir/records';
import type { Batch } from '../batches.ts';
import { LIMITS } from '../limits.ts';
import { Semaphore } from './semaphore.ts';

/** What an inserter tells while it works. */
export interface InsertEvents {
  inserted(table: TableName, rows: number, bytes: number, seconds: number): void;
  failed(table: TableName, error: DependencyError): void;
  deadLettered(reason: DlqMeta['reason']): void;
}

/** One table's rows of a batch. */
interface Part {
  readonly table: TableName;
  readonly frames: Buffer[];
  /** Where each frame comes from: the offset of its record, its place in it, its rows. */
  readonly sources: { readonly offset: number; readonly index: number; readonly rows: number }[];
  rows: number;
  bytes: number;
}

const DLQ_PARTITION = 0;

/**
 * Inserts batches, each table's part under its token. While ClickHouse cannot take a part it is tried again without end;
 * a part that ClickHouse refuses is inserted block by block under tokens of their own, which are the same for whoever
 * does it again, and the blocks that are refused alone go to weir.dlq.
 */
export class BatchInserter {
  readonly #clickhouse: Pick<ClickHouse, 'insertBlocks'>;
  readonly #log: Log;
  readonly #topic: string;
  readonly #clock: Clock;
  readonly #events: InsertEvents;
  readonly #slots = new Semaphore(LIMITS.insertsMax);

  constructor(
    clickhouse: Pick<ClickHouse, 'insertBlocks'>,
    log: Log,
    topic: string,
    clock: Clock,
    events: InsertEvents,
  ) {
    this.#clickhouse = clickhouse;
    this.#log = log;
    this.#topic = topic;
    this.#clock = clock;
    this.#events = events;
  }

  /**
   * Resolves once all rows of the batch are in ClickHouse, or in weir.dlq.
   * @throws DependencyError `fenced` when another sink owns the partition; the signal's reason
   */
  async insert(batch: Batch, ledger: CutLedger, signal: AbortSignal): Promise<void> {
    await Promise.all([
      this.#bury(batch, signal),
      ...partsOf(batch).map((part) => this.#insertPart(batch, part, ledger, signal)),
    ]);
  }

  async #insertPart(batch: Batch, part: Part, ledger: CutLedger, signal: AbortSignal): Promise<void> {
    const token = insertToken(part.table, this.#topic, batch.partition, batch.first, batch.last);
    if (!batch.split.has(part.table)) {
      if (await this.#insertFrames(part, part.frames, part.rows, token, ledger, signal)) return;
      await this.#recordSplit(part.table, ledger, signal);
    }
    for (const [at, frame] of part.frames.entries()) {
      const { offset, index, rows } = part.sources[at]!;
      // The first has the whole part's: one that a paused former owner still sends as a whole is dropped then.
      const own = at === 0 ? token : `${token}:${at}`;
      if (await this.#insertFrames(part, [frame], rows, own, ledger, signal)) continue;
      const message = `${part.table} refused a block of ${rows} rows`;
      await this.#append(this.#meta(batch, offset, index, 'rows_rejected', message, rows), frame, signal);
    }
  }

  /** Tried until it is recorded: no block may go in before. */
  async #recordSplit(table: TableName, ledger: CutLedger, signal: AbortSignal): Promise<void> {
    for (;;) {
      try {
        return await ledger.split(TABLES.indexOf(table), signal);
      } catch (error) {
        signal.throwIfAborted();
        if (!(error instanceof DependencyError) || !error.retryable) throw error;
        await this.#clock.sleep(LIMITS.insertRetryMs, signal);
      }
    }
  }

  /** False where ClickHouse refuses the rows for good. */
  async #insertFrames(
    part: Part,
    frames: readonly Buffer[],
    rows: number,
    token: string,
    ledger: CutLedger,
    signal: AbortSignal,
  ): Promise<boolean> {
    for (let delayMs: number = LIMITS.insertRetryMs; ; delayMs = Math.min(delayMs * 2, LIMITS.insertRetryMsMax)) {
      try {
        await this.#slots.run(async () => {
          await ledger.confirm(signal);
          const startedMs = this.#clock.nowMs();
          faultPoint('sink.in_insert');
          await this.#clickhouse.insertBlocks({ table: part.table, frames, token }, signal);
          faultPoint('sink.after_insert');
          const bytes = frames.reduce((sum, frame) => sum + frame.length, 0);
          this.#events.inserted(part.table, rows, bytes, (this.#clock.nowMs() - startedMs) / 1_000);
        });
        return true;
      } catch (error) {
        signal.throwIfAborted();
        if (!(error instanceof DependencyError) || error.code === 'fenced') throw error;
        if (error.dependency === 'clickhouse') {
          this.#events.failed(part.table, error);
          if (!error.retryable) return false;
        } else if (!error.retryable) throw error;
      }
      await this.#clock.sleep(delayMs, signal);
    }
  }

  /** Dead-letters the records of the batch that cannot be read. */
  async #bury(batch: Batch, signal: AbortSignal): Promise<void> {
    for (const { offset, poison, value } of batch.entries) {
      if (poison === undefined) continue;
      await this.#append(this.#meta(batch, offset, 0, poison.reason, poison.message, 0), value, signal);
    }
  }

  #meta(
    batch: Batch,
    offset: number,
    index: number,
    reason: DlqMeta['reason'],
    message: string,
    items: number,
  ): DlqMeta {
    return {
      tenant: '',
      signal: 'traces',
      reason,
      message,
      items,
      sourceTopic: this.#topic,
      sourcePartition: batch.partition,
      sourceOffset: offset,
      sourceIndex: index,
      firstSeenNs: this.#clock.wallNs(),
    };
  }

  async #append(meta: DlqMeta, value: Buffer, signal: AbortSignal): Promise<void> {
    const record = { key: Buffer.from(dlqKey(meta)), value, meta: encodeDlqMeta(meta) };
    for (;;) {
      try {
        await this.#log.append(CONTROL_TOPICS.dlq, DLQ_PARTITION, [record], signal);
        this.#events.deadLettered(meta.reason);
        return;
      } catch (error) {
        if (!(error instanceof DependencyError) || !error.retryable) throw error;
        await this.#clock.sleep(LIMITS.insertRetryMs, signal);
      }
    }
  }
}

/** The sections of a batch by table, in order of the records: the same batch always gives the same parts. */
function partsOf(batch: Batch): Part[] {
  const parts = new Map<TableName, Part>();
  for (const { offset, meta, value } of batch.entries) {
    if (meta === undefined) continue;
    for (const [index, { table, start, end, rows }] of meta.sections.entries()) {
      let part = parts.get(table);
      if (part === undefined) {
        part = { table, frames: [], sources: [], rows: 0, bytes: 0 };
        parts.set(table, part);
      }
      part.frames.push(value.subarray(start, end));
      part.sources.push({ offset, index, rows });
      part.rows += rows;
      part.bytes += end - start;
    }
  }
  return [...parts.values()];
}
