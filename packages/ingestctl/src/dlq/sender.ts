import { randomBytes } from 'node:crypto';
import type { Log } from '@weir/delivery';
import type { Clock } from '@weir/pipeline';
import type { Track } from '@weir/records';
import { ShardMap, type Tenant } from '@weir/tenancy';
import type { Pacer } from '../pacer.ts';
import type { PipeRoom } from './pipe-room.ts';
import type { RawCopy } from './raw-copy.ts';
import type { RedriveJournal } from './redrive-journal.ts';
import { Redriver } from './redriver.ts';
import type { RowsCopy, RowsRedriver } from './rows-redriver.ts';

/** What sending letters needs of the world. */
export interface SenderParts {
  readonly log: Log;
  readonly clock: Clock;
  readonly journal: RedriveJournal;
  readonly rowsRedriver: Pick<RowsRedriver, 'send'>;
  readonly tenantOf: (name: string) => Tenant | undefined;
  /** Partitions of a track's raw topic. */
  readonly partitionsOf: (track: Track) => Promise<number>;
  readonly pacer: Pick<Pacer, 'take'>;
  readonly room: Pick<PipeRoom, 'wait'>;
  /** Told how full the pipe is, where that is waited for. */
  readonly onFull: (fill: number) => void;
  readonly onSent: (items: number) => void;
}

/** What became of letters. `unknown`: ClickHouse may have their rows. */
export interface Sent {
  letters: number;
  items: number;
  refused: number;
  unknown: number;
}

/** Letters of one tenant that go into one partition together. */
interface Chunk {
  readonly track: Track;
  readonly tenant: string;
  readonly copies: RawCopy[];
  bytes: number;
}

const CHUNK_BYTES = 1024 ** 2;
const CHUNK_LETTERS = 200;
/** Of all chunks that are not sent yet. */
const WAITING_BYTES_MAX = 16 * 1024 ** 2;

/**
 * Sends letters as an edge would: each to a partition of its tenant, no faster than the rate, and only while the pipe has room.
 */
export class Sender {
  readonly sent: Sent = { letters: 0, items: 0, refused: 0, unknown: 0 };
  readonly #parts: SenderParts;
  readonly #chunks = new Map<string, Chunk>();
  readonly #redrivers = new Map<Track, Redriver>();
  #waitingBytes = 0;

  constructor(parts: SenderParts) {
    this.#parts = parts;
  }

  /** Takes a letter, to send it with others of its tenant. */
  async raw(track: Track, copy: RawCopy, signal: AbortSignal): Promise<void> {
    const { tenant } = copy.record.meta;
    const bytes = copy.record.value.length;
    const key = `${track}/${tenant}`;
    const full = this.#chunks.get(key);
    if (full !== undefined && (full.copies.length === CHUNK_LETTERS || full.bytes + bytes > CHUNK_BYTES)) {
      await this.#send(full, signal);
    }
    const chunk = this.#chunks.get(key) ?? { track, tenant, copies: [], bytes: 0 };
    this.#chunks.set(key, chunk);
    chunk.copies.push(copy);
    chunk.bytes += bytes;
    this.#waitingBytes += bytes;
    while (this.#waitingBytes > WAITING_BYTES_MAX) {
      await this.#send(
        [...this.#chunks.values()].reduce((a, b) => (b.bytes > a.bytes ? b : a)),
        signal,
      );
    }
  }

  /** Inserts rows, which are past the normalizer. */
  async rows(track: Track, rows: RowsCopy, signal: AbortSignal): Promise<void> {
    await this.#mayGo(track, rows.rows, signal);
    const outcome = await this.#parts.rowsRedriver.send(rows, signal);
    if (outcome === 'stored') this.#count(1, rows.rows);
    else this.sent[outcome]++;
  }

  /** Sends what waits. */
  async flush(signal: AbortSignal): Promise<void> {
    for (const chunk of [...this.#chunks.values()]) await this.#send(chunk, signal);
  }

  async #send(chunk: Chunk, signal: AbortSignal): Promise<void> {
    const { track, tenant, copies, bytes } = chunk;
    const items = copies.reduce((sum, { record }) => sum + record.meta.items, 0);
    const redriver = await this.#redriverOf(track);
    await this.#mayGo(track, items, signal);
    await redriver.send(copies, signal);
    this.#chunks.delete(`${track}/${tenant}`);
    this.#waitingBytes -= bytes;
    this.#count(copies.length, items);
  }

  async #mayGo(track: Track, items: number, signal: AbortSignal): Promise<void> {
    const { pacer, room, onFull } = this.#parts;
    await pacer.take(items, signal);
    await room.wait(track, signal, onFull);
  }

  #count(letters: number, items: number): void {
    this.sent.letters += letters;
    this.sent.items += items;
    this.#parts.onSent(this.sent.items);
  }

  /** An edge of its own for each track: seqs are those of one partition of one topic. */
  async #redriverOf(track: Track): Promise<Redriver> {
    const known = this.#redrivers.get(track);
    if (known !== undefined) return known;
    const { log, clock, journal, tenantOf, partitionsOf } = this.#parts;
    const shards = new ShardMap(await partitionsOf(track));
    const shardsOf = (tenant: string) => {
      const { order, own } = shards.of(tenant, tenantOf(tenant)?.limits.partitions);
      return order.slice(0, own);
    };
    const redriver = new Redriver({ log, clock, journal, track, shardsOf, edge: randomBytes(8).toString('hex') });
    this.#redrivers.set(track, redriver);
    return redriver;
  }
}
