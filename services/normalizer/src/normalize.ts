import type { EdgeMarks } from '@weir/delivery';
import type { SignalKind } from '@weir/pipeline';
import type { DlqReason, RowsSection } from '@weir/records';
import type { Tenant } from '@weir/tenancy';
import { inflate } from './consume/inflate.ts';
import type { DeadLetter, RawEntry, RawExport } from './exports.ts';
import { LIMITS } from './limits.ts';
import { RowsRecordBuilder } from './publish/rows-record.ts';
import { Transcoder } from './transcode/transcoder.ts';

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
  deadLettered(reason: DlqReason, items: number): void;
}

/** An export whose body is at hand. */
interface OpenExport {
  readonly raw: RawExport;
  readonly tenant: Tenant;
  readonly body: Buffer;
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
   * is covered by the source range, whatever became of it.
   */
  run(
    entries: readonly RawEntry[],
    from: number,
    marks: EdgeMarks,
  ): { readonly next: number; readonly done: Normalized } {
    const dead: DeadLetter[] = [];
    const open: OpenExport[] = [];
    let bytes = 0;
    let next = from;
    let oldest: bigint | undefined;
    for (; next < entries.length && bytes < LIMITS.recordBodyBytesMax; next++) {
      const entry = entries[next]!;
      if (entry.kind === 'poison') {
        dead.push({ tenant: '', signal: 'traces', items: 1, index: 0, ...pick(entry) });
        continue;
      }
      const { meta } = entry;
      if (!marks.takes(meta.edge, meta.seq, Number(meta.receivedAtNs / 1_000_000n))) {
        this.#events.repeated();
        continue;
      }
      if (oldest === undefined || meta.receivedAtNs < oldest) oldest = meta.receivedAtNs;
      const opened = this.#open(entry);
      if ('reason' in opened) dead.push(opened);
      else {
        open.push(opened);
        bytes += opened.body.length;
      }
    }
    const record = this.#transcode(open, dead);
    for (const letter of dead) this.#events.deadLettered(letter.reason, letter.items);
    return {
      next,
      done: {
        rawFirst: entries[from]!.offset,
        rawLast: entries[next - 1]!.offset,
        oldestReceivedAtNs: oldest ?? 0n,
        sections: record.sections,
        value: record.value(),
        rows: record.rows,
        dead,
      },
    };
  }

  #open(raw: RawExport): OpenExport | DeadLetter {
    const { tenant: name, encoding, signal } = raw.meta;
    const tenant = this.#tenantOf(name);
    if (tenant === undefined) return letter(raw, 'unknown_tenant', 'there is no such tenant');
    const body = inflate(raw.value, encoding, LIMITS.bodyBytesMax);
    if (body === undefined) return letter(raw, 'undecodable_body', `the body is not valid ${encoding}`);
    this.#events.received(signal, body.length);
    return { raw, tenant, body };
  }

  #transcode(open: readonly OpenExport[], dead: DeadLetter[]): RowsRecordBuilder {
    const broken = new Set<OpenExport>();
    let letters = this.#addAll(open, broken);
    // What is not an export leaves a part of itself in the columns: start anew without it.
    while (letters === undefined) letters = this.#addAll(open, broken);
    dead.push(...letters);
    const record = new RowsRecordBuilder();
    this.#transcoder.finish(({ table, rows, block }) => record.add(table, rows, block));
    this.#transcoder.clear();
    return record;
  }

  /** Letters for all that cannot be stored, or undefined where one more export turned out to be broken. */
  #addAll(open: readonly OpenExport[], broken: Set<OpenExport>): DeadLetter[] | undefined {
    const letters: DeadLetter[] = [];
    const written = new Map<SignalKind, number>();
    this.#transcoder.clear();
    for (const entry of open) {
      const { raw, tenant, body } = entry;
      const { signal, receivedAtNs } = raw.meta;
      if (broken.has(entry)) {
        letters.push(letter(raw, 'undecodable_body', 'the body is not an OTLP export'));
        continue;
      }
      let index = 0;
      const input = { tenant: tenant.name, retentionDays: tenant.limits.retentionDays, signal, body, receivedAtNs };
      const result = this.#transcoder.add(input, (reason, value, items) => {
        const where = { tenant: tenant.name, signal, offset: raw.offset, index: index++ };
        letters.push({ ...where, reason, message: 'the items cannot be stored', items, value });
      });
      if (!result.ok) {
        broken.add(entry);
        return undefined;
      }
      written.set(signal, (written.get(signal) ?? 0) + result.written);
    }
    for (const [signal, items] of written) this.#events.written(signal, items);
    return letters;
  }
}

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
