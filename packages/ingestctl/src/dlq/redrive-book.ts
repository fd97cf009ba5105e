import type { RedriveEntry } from '@weir/records';
import { Turns } from './turns.ts';

/**
 * What has become of a letter. `sending`: it is being sent or promoted, or whoever did it has not said how it ended.
 * `promoted`: what it holds was inserted from a shadow, at the letter's own source.
 */
export type LetterState = 'waiting' | 'sending' | 'redriven' | 'promoted' | 'purged';

export type Intent = Extract<RedriveEntry, { kind: 'intent' }>;
export type InsertIntent = Extract<RedriveEntry, { kind: 'insert' }>;
export type Promotion = Extract<RedriveEntry, { kind: 'promote' }>;

/** `void`: another chunk had one of its letters first. */
export type ChunkState = 'sending' | 'settling' | 'done' | 'free' | 'void';

interface Chunk {
  readonly intent: Intent | InsertIntent | Promotion;
  state: ChunkState;
  bookedAtMs: number | undefined;
}

/**
 * What the journal says, by one rule for everybody: an entry counts or does not by what stands before it, so all readers
 * agree. An intent that names a letter which is not waiting is void as a whole (a promotion may take purged ones, too); only one
 * that is not being settled can be done; the first verdict on a chunk stays.
 */
export class RedriveBook {
  readonly #letters = new Map<string, string | 'purged'>();
  readonly #chunks = new Map<string, Chunk>();
  /** Which replays may change rows. */
  readonly turns = new Turns();

  apply(entry: RedriveEntry): void {
    if (entry.kind === 'intent' || entry.kind === 'insert' || entry.kind === 'promote') this.#intend(entry);
    else if (entry.kind === 'turn' || entry.kind === 'turn_over') this.turns.apply(entry);
    else if (entry.kind === 'purged') {
      for (const key of entry.letters) if (this.letter(key) === 'waiting') this.#letters.set(key, 'purged');
    } else this.#judge(entry);
  }

  letter(key: string): LetterState {
    const id = this.#letters.get(key);
    if (id === undefined || id === 'purged') return id ?? 'waiting';
    const chunk = this.#chunks.get(id);
    if (chunk?.state !== 'done') return 'sending';
    return chunk.intent.kind === 'promote' ? 'promoted' : 'redriven';
  }

  chunk(id: string): ChunkState | undefined {
    return this.#chunks.get(id)?.state;
  }

  /** The replay whose promotion is to end with the letter; undefined where none is. */
  promoter(key: string): string | undefined {
    const chunk = this.#chunks.get(this.#letters.get(key) ?? '');
    return chunk?.intent.kind === 'promote' && chunk.state !== 'done' ? chunk.intent.replay : undefined;
  }

  /** When somebody first began to put the books of a promotion right, ms since the epoch. */
  bookedAtMs(id: string): number | undefined {
    return this.#chunks.get(id)?.bookedAtMs;
  }

  /** Letters of which the journal says anything. */
  keys(): Iterable<string> {
    return this.#letters.keys();
  }

  /** Appends of which nobody has said how they ended. */
  open(): readonly Intent[] {
    return this.#open().filter((intent) => intent.kind === 'intent');
  }

  /** Inserts of which nobody has said how they ended. */
  openInserts(): readonly InsertIntent[] {
    return this.#open().filter((intent) => intent.kind === 'insert');
  }

  /** Promotions of which nobody has said that they ended. */
  openPromotions(): readonly Promotion[] {
    return this.#open().filter((intent) => intent.kind === 'promote');
  }

  #open(): readonly Chunk['intent'][] {
    const all = [...this.#chunks.values()];
    return all.filter(({ state }) => state === 'sending' || state === 'settling').map(({ intent }) => intent);
  }

  #intend(intent: Chunk['intent']): void {
    if (this.#chunks.has(intent.chunk)) return;
    const isFree = (key: string) => {
      const state = this.letter(key);
      return state === 'waiting' || (state === 'purged' && intent.kind === 'promote');
    };
    const free = intent.letters.every(isFree);
    this.#chunks.set(intent.chunk, { intent, state: free ? 'sending' : 'void', bookedAtMs: undefined });
    if (free) for (const key of intent.letters) this.#letters.set(key, intent.chunk);
  }

  #judge(entry: Extract<RedriveEntry, { kind: 'done' | 'settling' | 'settled' | 'booking' }>): void {
    const chunk = this.#chunks.get(entry.chunk);
    if (chunk === undefined) return;
    if (entry.kind === 'booking') chunk.bookedAtMs ??= entry.atMs;
    else if (entry.kind === 'settled') {
      if (chunk.state !== 'settling') return;
      chunk.state = entry.found ? 'done' : 'free';
      if (!entry.found) for (const key of chunk.intent.letters) this.#letters.delete(key);
    } else if (chunk.state === 'sending') chunk.state = entry.kind;
  }
}
