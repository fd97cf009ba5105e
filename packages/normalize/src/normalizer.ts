import type { EdgeMarks } from '@weir/delivery';
import { FIRST_LIMIT_FAULT, ITEM_FAULTS } from '@weir/otlp';
import { freeBytes, type SignalKind } from '@weir/pipeline';
import {
  type DlqReason,
  minuteOf,
  type Note,
  type RawMeta,
  type RowsSection,
  rawPosition,
  type Track,
  type Usage,
  UsageTally,
  usageBlock,
} from '@weir/records';
import type { Tenant } from '@weir/tenancy';
import type { DeadLetter, OpenExport, RawEntry, RawExport } from './exports.ts';
import { inflate } from './inflate.ts';
import { lanesOf } from './lanes.ts';
import { LIMITS } from './limits.ts';
import { RowsRecordBuilder } from './rows-record.ts';
import { type Transcoded, type TranscodeFault, Transcoder } from './transcode/transcoder.ts';

/** The raw partition that entries are of. */
export interface RawSource {
  readonly track: Track;
  readonly partition: number;
}

/** What became of a run of raw records: the content of one rows record, and what goes to the DLQ before it. */
export interface Normalized {
  readonly rawFirst: number;
  readonly rawLast: number;
  readonly oldestReceivedAtNs: bigint;
  readonly sections: readonly RowsSection[];
  readonly value: Buffer;
  readonly rows: number;
  readonly dead: readonly DeadLetter[];
}

/** What is counted on the way. */
export interface NormalizeEvents {
  received(signal: SignalKind, bodyBytes: number): void;
  repeated(): void;
  written(signal: SignalKind, items: number): void;
  /** Names brought to the semantic conventions of today. */
  renamed(signal: SignalKind, names: number): void;
  deadLettered(reason: DlqReason, items: number): void;
}

/** What an edge said, and whether what it doubted is in the log. */
interface TakenNote extends Note {
  readonly found: boolean;
}

/** What was written of an export. */
type Stored = Extract<Transcoded, { ok: true }>;

/** What one attempt at a run of entries found; counted only once it is what will be written. */
interface Attempt {
  readonly next: number;
  readonly open: readonly OpenExport[];
  /** All exports that are new, those that were dead-lettered too. */
  readonly taken: readonly RawExport[];
  readonly notes: readonly TakenNote[];
  readonly dead: DeadLetter[];
  readonly repeated: number;
  readonly oldestReceivedAtNs: bigint;
}

/** Turns runs of raw records into rows records. Synchronous: one instance serves every partition of the process. */
export class Normalizer {
  readonly #transcoder = new Transcoder();
  readonly #tenantOf: (name: string) => Tenant | undefined;
  readonly #events: NormalizeEvents;

  constructor(tenantOf: (name: string) => Tenant | undefined, events: NormalizeEvents) {
    this.#tenantOf = tenantOf;
    this.#events = events;
  }

  /**
   * Normalizes entries from `from` on until the bodies reach their bound; returns that and where to go on. Every entry
   * is covered by the source range, whatever became of it. Where the rows are too large for a record fewer entries go
   * into it, and an export whose rows are too large alone is dead-lettered: a record that Kafka refuses for ever would
   * stop the partition.
   */
  run(
    entries: readonly RawEntry[],
    from: number,
    marks: EdgeMarks,
    source: RawSource,
  ): { readonly next: number; readonly done: Normalized } {
    const before = marks.snapshot();
    for (let until = entries.length; ; ) {
      const attempt = this.#take(entries, from, until, marks);
      const written = new Map<RawExport, Stored>();
      let record = this.#transcode(attempt, source, written);
      if (typeof record === 'number') {
        const { offset } = attempt.open[record]!.raw;
        until = entries.findIndex((entry) => entry.offset === offset);
        marks.restore(before);
        continue;
      }
      if (record.bytes > LIMITS.recordValueBytesMax && attempt.next - from > 1) {
        until = from + ((attempt.next - from) >> 1);
        marks.restore(before);
        continue;
      }
      if (record.bytes > LIMITS.recordValueBytesMax) {
        attempt.dead.length = 0;
        for (const { raw } of attempt.open) attempt.dead.push(letter(raw, 'rows_rejected', ROWS_TOO_LARGE));
        written.clear();
        record = new RowsRecordBuilder();
      }
      this.#count(attempt, written);
      const { next, dead, oldestReceivedAtNs } = attempt;
      const { rows } = record;
      addUsage(record, attempt, written);
      freeBodies(attempt);
      const { sections } = record;
      const range = { rawFirst: entries[from]!.offset, rawLast: entries[next - 1]!.offset };
      return { next, done: { ...range, oldestReceivedAtNs, sections, value: record.value(), rows, dead } };
    }
  }

  #take(entries: readonly RawEntry[], from: number, until: number, marks: EdgeMarks): Attempt {
    const dead: DeadLetter[] = [];
    const open: OpenExport[] = [];
    const taken: RawExport[] = [];
    const notes: TakenNote[] = [];
    let bytes = 0;
    let repeated = 0;
    let next = from;
    let oldest: bigint | undefined;
    for (; next < until && bytes < LIMITS.recordBodyBytesMax; next++) {
      const entry = entries[next]!;
      if (entry.kind === 'poison') {
        dead.push({ tenant: '', signal: 'traces', items: 1, index: 0, ...pick(entry) });
        continue;
      }
      const { edge, seq } = entry.kind === 'note' ? entry.note : entry.meta;
      const found = marks.hasAllBefore(edge, seq);
      if (!marks.takes(edge, seq, entry.appendedMs)) {
        repeated++;
        continue;
      }
      if (entry.kind === 'note') {
        notes.push({ ...entry.note, found });
        continue;
      }
      const { meta } = entry;
      taken.push(entry);
      if (oldest === undefined || meta.receivedAtNs < oldest) oldest = meta.receivedAtNs;
      const opened = this.#open(entry);
      if ('reason' in opened) dead.push(opened);
      else {
        open.push(opened);
        bytes += opened.body.length;
      }
    }
    return { next, open, taken, notes, dead, repeated, oldestReceivedAtNs: oldest ?? 0n };
  }

  #count({ open, dead, repeated }: Attempt, written: ReadonlyMap<RawExport, Stored>): void {
    for (const { raw, body } of open) this.#events.received(raw.meta.signal, body.length);
    for (let i = 0; i < repeated; i++) this.#events.repeated();
    for (const [{ meta }, stored] of written) {
      this.#events.written(meta.signal, stored.written);
      if (stored.renamed > 0) this.#events.renamed(meta.signal, stored.renamed);
    }
    for (const { reason, items } of dead) this.#events.deadLettered(reason, items);
  }

  #open(raw: RawExport): OpenExport | DeadLetter {
    const { tenant: name, encoding, bytes } = raw.meta;
    const tenant = this.#tenantOf(name);
    if (tenant === undefined) return letter(raw, 'unknown_tenant', 'there is no such tenant');
    const body = inflate(raw.value, encoding, bytes, LIMITS.bodyBytesMax);
    if (body === undefined) return letter(raw, 'undecodable_body', `the body is not valid ${encoding}`);
    return { raw, tenant, body };
  }

  /** The record, lane by lane, or the index of an open export: with those before it the record is smaller. */
  #transcode({ open, dead }: Attempt, source: RawSource, written: Map<RawExport, Stored>): RowsRecordBuilder | number {
    const record = new RowsRecordBuilder();
    const lanes = lanesOf(open);
    for (const [lane, exports] of lanes) {
      const broken = new Map<OpenExport, TranscodeFault>();
      let letters = this.#addAll(exports, source, record, broken, written);
      // What is not an export leaves a part of itself in the columns: start anew without it.
      while (letters === undefined) letters = this.#addAll(exports, source, record, broken, written);
      // Of several lanes the last export may be the first of the log: then half of all.
      if (typeof letters === 'number') return lanes.size === 1 ? letters : open.length >> 1;
      dead.push(...letters);
      this.#transcoder.finish(({ table, rows, block }) => record.add(table, rows, block, lane));
    }
    this.#transcoder.clear();
    return record;
  }

  /**
   * Letters for all that cannot be stored, undefined where one more export turned out to be broken, or the index of the one
   * with which the rows become too many.
   */
  #addAll(
    open: readonly OpenExport[],
    { track, partition }: RawSource,
    before: RowsRecordBuilder,
    broken: Map<OpenExport, TranscodeFault>,
    written: Map<RawExport, Stored>,
  ): DeadLetter[] | number | undefined {
    const letters: DeadLetter[] = [];
    this.#transcoder.clear();
    for (const [at, entry] of open.entries()) {
      const { raw, tenant, body } = entry;
      const { signal, receivedAtNs, rejected } = raw.meta;
      const known = broken.get(entry);
      if (known !== undefined) {
        letters.push(
          known === 'expands_too_far'
            ? letter(raw, 'rows_rejected', ROWS_TOO_LARGE)
            : letter(raw, 'undecodable_body', `the body is not an OTLP export: ${known}`),
        );
        continue;
      }
      let index = 0;
      const { retentionDays, conventions } = tenant.limits;
      const position = rawPosition(track, partition, raw.offset);
      const about = { tenant: tenant.name, retentionDays, conventions, rawPosition: position };
      const input = { ...about, signal, body, receivedAtNs, rejected };
      const result = this.#transcoder.add(input, (reason, value, items) => {
        const where = { tenant: tenant.name, signal, offset: raw.offset, index: index++ };
        const overLimit = ITEM_FAULTS.indexOf(reason) >= FIRST_LIMIT_FAULT;
        const message = overLimit ? 'the items are over a limit of the tenant' : 'the items cannot be stored';
        letters.push({ ...where, reason, message, items, value });
      });
      if (!result.ok) {
        broken.set(entry, result.reason);
        return undefined;
      }
      const rows = before.rows + this.#transcoder.rows;
      const bytes = before.blockBytes + this.#transcoder.bytes;
      const isFirst = at === 0 && before.rows === 0;
      if (!isFirst && (rows > LIMITS.recordRowsMax || bytes > LIMITS.recordBlockBytesMax)) return at;
      written.set(raw, result);
    }
    return letters;
  }
}

/** What was inflated here: blocks and letters hold copies. */
function freeBodies({ open }: Attempt): void {
  for (const { raw, body } of open) if (raw.meta.encoding !== 'identity') freeBytes(body);
}

/**
 * The books of one record: what was taken, what became of it, and what edges told. They are a section of the same record
 * as the rows they count, so they reach ClickHouse exactly when those do, once.
 */
function addUsage(record: RowsRecordBuilder, attempt: Attempt, written: ReadonlyMap<RawExport, Stored>): void {
  const tally = new UsageTally();
  const byOffset = new Map<number, RawMeta>();
  for (const raw of attempt.taken) {
    const { meta } = raw;
    byOffset.set(raw.offset, meta);
    tally.add({ ...usageOf(meta), outcome: 'accepted' });
    tally.add({ ...usageOf(meta), outcome: 'stored', items: written.get(raw)?.written ?? 0, bytes: 0 });
  }
  for (const { offset, reason, items } of attempt.dead) {
    const meta = byOffset.get(offset);
    // A record that cannot be read is nobody's.
    if (meta !== undefined) tally.add({ ...usageOf(meta), outcome: 'dead_lettered', reason, items, bytes: 0 });
  }
  for (const { settled, doubtful, found } of attempt.notes) {
    for (const usage of settled) tally.add(usage);
    for (const usage of doubtful) tally.add(found ? { ...usage, outcome: 'unanswered', reason: '' } : usage);
  }
  if (tally.size > 0) record.add('weir_usage', tally.size, usageBlock(tally.entries()));
}

function usageOf({ tenant, signal, receivedAtNs, items, bytes }: RawMeta): Omit<Usage, 'outcome'> {
  return { tenant, signal, minute: minuteOf(receivedAtNs), reason: '', items, bytes };
}

const ROWS_TOO_LARGE = 'its items repeat what they share so often that the rows fit no record';

function pick({
  offset,
  reason,
  message,
  value,
}: {
  offset: number;
  reason: DlqReason;
  message: string;
  value: Buffer;
}) {
  return { offset, reason, message, value };
}

function letter(raw: RawExport, reason: DlqReason, message: string): DeadLetter {
  const { tenant, signal, items } = raw.meta;
  return { tenant, signal, reason, message, items, offset: raw.offset, index: 0, value: raw.value };
}
