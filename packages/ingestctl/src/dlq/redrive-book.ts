import type { RedriveEntry } from '@weir/records';

/** What has become of a letter. `sending`: it is being sent, or whoever sent it has not said how it ended. */
export type LetterState = 'waiting' | 'sending' | 'redriven' | 'purged';

export type Intent = Extract<RedriveEntry, { kind: 'intent' }>;
export type InsertIntent = Extract<RedriveEntry, { kind: 'insert' }>;

/** `void`: another chunk had one of its letters first. */
export type ChunkState = 'sending' | 'settling' | 'done' | 'free' | 'void';

/**
 * What the journal says, by one rule for everybody: an entry counts or does not by what stands before it, so all readers
 * agree. An intent that names a letter which is not waiting is void as a whole; only one that is not being settled can be
 * done; the first verdict on a chunk stays.
 */
export class RedriveBook {
  readonly #letters = new Map<string, string | 'purged'>();
  readonly #chunks = new Map<string, { readonly intent: Intent | InsertIntent; state: ChunkState }>();

  apply(entry: RedriveEntry): void {
    if (entry.kind === 'intent' || entry.kind === 'insert') this.#intend(entry);
    else if (entry.kind === 'purged') {
      for (const key of entry.letters) if (this.letter(key) === 'waiting') this.#letters.set(key, 'purged');
    } else this.#judge(entry);
  }

  letter(key: string): LetterState {
    const chunk = this.#letters.get(key);
    if (chunk === undefined || chunk === 'purged') return chunk ?? 'waiting';
    return this.chunk(chunk) === 'done' ? 'redriven' : 'sending';
  }

  chunk(id: string): ChunkState | undefined {
    return this.#chunks.get(id)?.state;
  }

  /** Appends of which nobody has said how they ended. */
  open(): readonly Intent[] {
    return this.#open().filter((intent) => intent.kind === 'intent');
  }

  /** Inserts of which nobody has said how they ended. */
  openInserts(): readonly InsertIntent[] {
    return this.#open().filter((intent) => intent.kind === 'insert');
  }

  #open(): readonly (Intent | InsertIntent)[] {
    const all = [...this.#chunks.values()];
    return all.filter(({ state }) => state === 'sending' || state === 'settling').map(({ intent }) => intent);
  }

  #intend(intent: Intent | InsertIntent): void {
    if (this.#chunks.has(intent.chunk)) return;
    const free = intent.letters.every((key) => this.letter(key) === 'waiting');
    this.#chunks.set(intent.chunk, { intent, state: free ? 'sending' : 'void' });
    if (free) for (const key of intent.letters) this.#letters.set(key, intent.chunk);
  }

  #judge(entry: Exclude<RedriveEntry, { kind: 'intent' | 'insert' | 'purged' }>): void {
    const chunk = this.#chunks.get(entry.chunk);
    if (chunk === undefined) return;
    if (entry.kind === 'settled') {
      if (chunk.state !== 'settling') return;
      chunk.state = entry.found ? 'done' : 'free';
      if (!entry.found) for (const key of chunk.intent.letters) this.#letters.delete(key);
    } else if (chunk.state === 'sending') chunk.state = entry.kind;
  }
}
