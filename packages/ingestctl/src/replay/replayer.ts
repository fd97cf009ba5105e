import type { ClickHouse } from '@weir/clickhouse';
import { EdgeMarks, type Log } from '@weir/delivery';
import { Normalizer, type RawEntry } from '@weir/normalize';
import { type Clock, DependencyError, faultPoint } from '@weir/pipeline';
import { rawPosition, type TableName, trackTopics } from '@weir/records';
import type { Tenant } from '@weir/tenancy';
import { type Pacer, READING_PART } from '../pacer.ts';
import { cutBatches, type RawBatch } from './batches.ts';
import type { BatchTally, DoneBatch, ReplayJournal } from './journal.ts';
import { marksBefore } from './marks-before.ts';
import { itemsOf, type PartitionPlan, type ReplayPlan, shadowTable, takes } from './plan.ts';
import { readRange } from './read-range.ts';
import { type DeadPart, digestOf, type ReplayDead } from './replay-dead.ts';

/** What a replay needs of the world. It reads the log, and writes to the shadow and the journal alone. */
export interface ReplayerParts {
  readonly log: Pick<Log, 'read' | 'bounds'>;
  readonly clickhouse: Pick<ClickHouse, 'insertBlocks'>;
  readonly journal: Pick<ReplayJournal, 'batch'>;
  readonly dead: Pick<ReplayDead, 'put'>;
  readonly tenantOf: (name: string) => Tenant | undefined;
  readonly pacer: Pacer;
  readonly clock: Clock;
  /** Told of each batch once it is in the shadow and in the journal. */
  readonly onBatch: (batch: DoneBatch, items: number) => void;
}

/** Rows of one table that go in together. */
interface Part {
  readonly frames: Buffer[];
  rows: number;
  blockBytes: number;
}

/** Both far below one block of ClickHouse, which a token covers as a whole. */
const PART_ROWS_MAX = 500_000;
const PART_BYTES_MAX = 192 * 1024 ** 2;
const TRIES_MAX = 6;
const RETRY_MS = 500;

/** Makes the rows of a plan once more, into its shadow tables. One batch is in hand at a time. */
export class Replayer {
  readonly #plan: ReplayPlan;
  readonly #parts: ReplayerParts;
  readonly #normalizer: Normalizer;
  readonly #dead = new Map<string, number>();

  constructor(plan: ReplayPlan, parts: ReplayerParts) {
    this.#plan = plan;
    this.#parts = parts;
    this.#normalizer = new Normalizer(parts.tenantOf, {
      received: () => undefined,
      repeated: () => undefined,
      written: () => undefined,
      renamed: () => undefined,
      deadLettered: (reason, items) => this.#dead.set(reason, (this.#dead.get(reason) ?? 0) + items),
    });
  }

  /**
   * Goes on behind the batches that are done, to the end of the plan.
   * @throws DependencyError; the signal's reason. What is done stays done, and a batch that was under way is repeated under its tokens.
   */
  async run(done: readonly DoneBatch[], signal: AbortSignal): Promise<void> {
    for (const partition of this.#plan.partitions) {
      const behind = done.filter((batch) => batch.partition === partition.partition).at(-1);
      await this.#partition(partition, behind, signal);
    }
  }

  async #partition(plan: PartitionPlan, behind: DoneBatch | undefined, signal: AbortSignal): Promise<void> {
    const { log } = this.#parts;
    const { track } = this.#plan;
    const { partition, last } = plan;
    const first = behind === undefined ? plan.first : behind.last + 1;
    if (first > last) return;
    const marks =
      behind === undefined
        ? await marksBefore(log as Log, track, partition, first, signal)
        : new EdgeMarks(behind.marks);
    const pages = this.#paced(
      readRange(log as Log, trackTopics(track).raw, partition, { first, last }, signal),
      signal,
    );
    for await (const batch of cutBatches(pages, { first, last })) await this.#batch(partition, batch, marks, signal);
  }

  async *#paced(pages: AsyncIterable<readonly RawEntry[]>, signal: AbortSignal) {
    for await (const page of pages) {
      const parts = page.map((entry) => itemsOf(entry) * (this.#isTaken(entry) ? 1 : READING_PART));
      await this.#parts.pacer.take(
        parts.reduce((sum, part) => sum + part, 0),
        signal,
      );
      yield page;
    }
  }

  #isTaken(entry: RawEntry): entry is Extract<RawEntry, { kind: 'export' }> {
    return entry.kind === 'export' && takes(this.#plan.filter, entry.meta);
  }

  async #batch(partition: number, batch: RawBatch, marks: EdgeMarks, signal: AbortSignal): Promise<void> {
    const { fresh, repeated, items } = this.#fresh(batch.entries, marks);
    this.#dead.clear();
    const { tables, dead } = this.#transcode(partition, fresh);
    const rows: Record<string, number> = {};
    await Promise.all(
      [...tables].map(async ([table, parts]) => {
        for (const [at, part] of parts.entries()) {
          rows[table] = (rows[table] ?? 0) + part.rows;
          const range = `${partition}:${batch.first}-${batch.last}${at === 0 ? '' : `:${at}`}`;
          await this.#insert(table, part, `${this.#plan.id}:${table}:${range}`, signal);
        }
      }),
    );
    await this.#parts.dead.put(dead, signal);
    const tally: BatchTally = { rows, dead: Object.fromEntries(this.#dead), repeated };
    const done = { partition, first: batch.first, last: batch.last, tally, marks: marks.snapshot() };
    await this.#parts.journal.batch(this.#plan.id, done, signal);
    faultPoint('replay.after_batch');
    this.#parts.onBatch(done, items);
  }

  /** The exports that the live path takes, too, in order; all entries leave their mark. */
  #fresh(entries: readonly RawEntry[], marks: EdgeMarks) {
    const fresh: RawEntry[] = [];
    let repeated = 0;
    let items = 0;
    for (const entry of entries) {
      if (entry.kind === 'poison') continue;
      const { edge, seq } = entry.kind === 'note' ? entry.note : entry.meta;
      const isNew = marks.takes(edge, seq, entry.appendedMs);
      if (!this.#isTaken(entry)) continue;
      items += entry.meta.items;
      if (isNew) fresh.push(entry);
      else repeated++;
    }
    return { fresh, repeated, items };
  }

  /** Through the live path's own transcoder; without the books, which have these items already. */
  #transcode(partition: number, entries: readonly RawEntry[]) {
    const tables = new Map<TableName, Part[]>();
    const dead: DeadPart[] = [];
    const source = { track: this.#plan.track, partition };
    for (let next = 0; next < entries.length; ) {
      const { next: after, done } = this.#normalizer.run(entries, next, new EdgeMarks(), source);
      next = after;
      for (const { offset, index: nth, reason, items, value } of done.dead) {
        const position = rawPosition(source.track, partition, offset);
        dead.push({ position, nth, reason, items, digest: digestOf(value) });
      }
      for (const { table, start, end, rows, blockBytes } of done.sections) {
        if (table === 'weir_usage') continue;
        const parts = tables.get(table) ?? [];
        tables.set(table, parts);
        let part = parts.at(-1);
        if (part === undefined || part.rows + rows > PART_ROWS_MAX || part.blockBytes + blockBytes > PART_BYTES_MAX) {
          part = { frames: [], rows: 0, blockBytes: 0 };
          parts.push(part);
        }
        part.frames.push(done.value.subarray(start, end));
        part.rows += rows;
        part.blockBytes += blockBytes;
      }
    }
    return { tables, dead };
  }

  async #insert(table: TableName, { frames }: Part, token: string, signal: AbortSignal): Promise<void> {
    const into = shadowTable(this.#plan.id, table);
    for (let attempt = 1; ; attempt++) {
      try {
        await this.#parts.clickhouse.insertBlocks({ table, into, frames, token }, signal);
        faultPoint('replay.after_insert');
        return;
      } catch (error) {
        signal.throwIfAborted();
        if (!(error instanceof DependencyError) || !error.retryable || attempt >= TRIES_MAX) throw error;
        await this.#parts.clock.sleep(RETRY_MS * 2 ** attempt, signal);
      }
    }
  }
}
