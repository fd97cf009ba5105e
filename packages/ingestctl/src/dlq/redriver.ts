import { appendUntilAcked, type Log, type NewRecord } from '@weir/delivery';
import type { Clock } from '@weir/pipeline';
import {
  decodeNote,
  decodeRawMeta,
  encodeNote,
  encodeRawMeta,
  minuteOf,
  type Track,
  trackTopics,
  UsageTally,
} from '@weir/records';
import type { RawCopy } from './raw-copy.ts';
import type { Intent } from './redrive-book.ts';
import type { RedriveJournal } from './redrive-journal.ts';

/** What settling needs of the world. */
export interface SettlingParts {
  readonly log: Log;
  readonly clock: Clock;
  readonly journal: RedriveJournal;
}

/** What a redrive needs of it. */
export interface RedriverParts extends SettlingParts {
  readonly track: Track;
  /** Partitions of the track's raw topic that a tenant's exports may go to; at least one. */
  readonly shardsOf: (tenant: string) => readonly number[];
  /** Random id of this redrive, 16 hex digits. */
  readonly edge: string;
}

const READ = { maxBytes: 8 * 1024 ** 2, maxWaitMs: 500 };

/**
 * Puts dead letters into the raw log again, each once, whatever is killed when (docs/adr/0019). It is an edge of its own: a
 * chunk is one append, with seqs, and the journal says before it what is about to be appended and after it that it was.
 */
export class Redriver {
  readonly #parts: RedriverParts;
  readonly #nextSeq = new Map<number, number>();
  #chunks = 0;

  constructor(parts: RedriverParts) {
    this.#parts = parts;
  }

  /**
   * Sends one chunk, of one tenant. Its note takes back what the books have of the letters, so that they are accepted once.
   *
   * @throws Error where another redrive has taken one of them, or has ended this one
   */
  async send(copies: readonly RawCopy[], signal: AbortSignal): Promise<void> {
    const { log, clock, journal, track, shardsOf, edge } = this.#parts;
    const shards = shardsOf(copies[0]!.record.meta.tenant);
    const partition = shards[this.#chunks++ % shards.length]!;
    const firstSeq = this.#nextSeq.get(partition) ?? 0;
    const topic = trackTopics(track).raw;
    const chunk = `${edge}/${partition}/${firstSeq}`;
    const rawFrom = (await log.bounds(topic, partition, signal)).end;
    const letters = copies.map(({ key }) => key);
    await journal.put({ kind: 'intent', chunk, track, partition, edge, firstSeq, rawFrom, letters }, signal);
    if (journal.book.chunk(chunk) !== 'sending')
      throw new Error('another redrive, or a promotion, has taken these letters');
    await appendUntilAcked(log, clock, topic, partition, recordsOf(copies, edge, firstSeq), signal);
    this.#nextSeq.set(partition, firstSeq + copies.length + 1);
    await journal.put({ kind: 'done', chunk }, signal);
    if (journal.book.chunk(chunk) !== 'done') throw new Error('another redrive has ended this one');
  }
}

/**
 * Finds out what became of the chunks that nobody has told of. A note with the next seq is put behind each: a copy that
 * comes after it never counts, so that what stands before it is all there will be.
 *
 * @returns letters of which it cannot be told any more, since the raw log has let go of that time
 */
export async function settleAppends(parts: SettlingParts, signal: AbortSignal): Promise<number> {
  const { journal } = parts;
  let unknown = 0;
  for (const intent of journal.book.open()) {
    const { chunk } = intent;
    await journal.put({ kind: 'settling', chunk }, signal);
    if (journal.book.chunk(chunk) !== 'settling') continue;
    const found = await find(parts, intent, signal);
    if (found === undefined) unknown += intent.letters.length;
    else await journal.put({ kind: 'settled', chunk, found }, signal);
  }
  return unknown;
}

/** Whether the chunk is in the raw log and counts; undefined where that cannot be told. */
async function find({ log, clock }: SettlingParts, intent: Intent, signal: AbortSignal): Promise<boolean | undefined> {
  const { edge, partition, firstSeq, letters, rawFrom } = intent;
  const topic = trackTopics(intent.track).raw;
  const fenceSeq = firstSeq + letters.length + 1;
  const note = { key: null, ...encodeNote({ edge, seq: fenceSeq, settled: [], doubtful: [] }) };
  const fence = await appendUntilAcked(log, clock, topic, partition, [note], signal);
  const { start } = await log.bounds(topic, partition, signal);
  for (let offset = Math.max(start, rawFrom); offset <= fence; ) {
    const page = await log.read(topic, partition, offset, READ, signal);
    for (const { meta, value } of page.records) {
      const raw = decodeRawMeta(meta);
      const seq = raw.ok ? seqIn(raw.value, edge) : noteSeq(meta, value, edge);
      if (seq === undefined || seq < firstSeq) continue;
      if (seq < fenceSeq) return true;
      // An earlier fence of the same chunk ends it as well; but what stood before may be gone.
      return start > rawFrom ? undefined : false;
    }
    offset = page.nextOffset;
  }
  return undefined;
}

function seqIn(meta: { readonly edge: string; readonly seq: number }, edge: string): number | undefined {
  return meta.edge === edge ? meta.seq : undefined;
}

function noteSeq(meta: Buffer | null, value: Buffer | null, edge: string): number | undefined {
  const note = decodeNote(meta, value);
  return note.ok ? seqIn(note.value, edge) : undefined;
}

/** The copies, and a note that takes back what was booked when they were accepted first and became letters. */
function recordsOf(copies: readonly RawCopy[], edge: string, firstSeq: number): NewRecord[] {
  const tally = new UsageTally();
  const records = copies.map(({ record, reason }, at): NewRecord => {
    const { tenant, signal, items, bytes, receivedAtNs, encoding } = record.meta;
    const whose = { tenant, signal, minute: minuteOf(receivedAtNs) };
    tally.add({ ...whose, outcome: 'accepted', reason: '', items: -items, bytes: -bytes });
    tally.add({ ...whose, outcome: 'dead_lettered', reason, items: -items, bytes: 0 });
    const meta = encodeRawMeta({ ...record.meta, edge, seq: firstSeq + at });
    return { key: null, value: record.value, meta, plain: encoding === 'identity' };
  });
  const seq = firstSeq + copies.length;
  records.push({ key: null, ...encodeNote({ edge, seq, settled: tally.entries(), doubtful: [] }) });
  return records;
}
