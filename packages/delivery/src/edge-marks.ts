import type { EdgeMark } from '@weir/records';

/**
 * How long an edge that has written nothing is remembered, by what others wrote meanwhile: as long as an edge may be kept from
 * Kafka, or stand still, and then go on with what it had in hand.
 */
export const MARK_AGE_MS_MAX = 24 * 3_600_000;
/** More edges than ever run at once; 24 bytes each in every rows record. */
export const MARKS_MAX = 4_096;

/**
 * The newest record taken of each edge in one raw partition: a record at or below it is a repeated or late append.
 * Marks age by when the broker appended the record, one clock for all edges: an edge whose own clock is ahead cannot make
 * those of the others look old.
 */
export class EdgeMarks {
  readonly #marks: Map<string, { seq: number; seenMs: number }>;
  #newestMs = 0;

  constructor(marks: readonly EdgeMark[] = []) {
    this.#marks = new Map();
    this.restore(marks);
  }

  /** Goes back to what `snapshot` returned earlier: what was taken since is new again. */
  restore(marks: readonly EdgeMark[]): void {
    this.#marks.clear();
    this.#newestMs = 0;
    for (const { edge, seq, seenMs } of marks) {
      this.#marks.set(edge, { seq, seenMs });
      this.#newestMs = Math.max(this.#newestMs, seenMs);
    }
  }

  /** Whether the record is new; a new one becomes the mark. */
  takes(edge: string, seq: number, appendedMs: number): boolean {
    const mark = this.#marks.get(edge);
    if (mark !== undefined && seq <= mark.seq) return false;
    this.#newestMs = Math.max(this.#newestMs, appendedMs);
    if (mark === undefined) this.#marks.set(edge, { seq, seenMs: appendedMs });
    else {
      mark.seq = seq;
      mark.seenMs = appendedMs;
    }
    return true;
  }

  /**
   * Whether the records right before a note of the edge are in the log: they are one append and come before the note, or
   * never count.
   */
  hasAllBefore(edge: string, seq: number): boolean {
    const mark = this.#marks.get(edge);
    return mark !== undefined && mark.seq >= seq - 1;
  }

  /** The marks that still count, for the next rows record; forgets the others. */
  snapshot(): EdgeMark[] {
    const oldest = this.#newestMs - MARK_AGE_MS_MAX;
    for (const [edge, mark] of this.#marks) if (mark.seenMs < oldest) this.#marks.delete(edge);
    if (this.#marks.size > MARKS_MAX) {
      const byAge = [...this.#marks].sort(([, a], [, b]) => a.seenMs - b.seenMs);
      for (const [edge] of byAge.slice(0, this.#marks.size - MARKS_MAX)) this.#marks.delete(edge);
    }
    return [...this.#marks].map(([edge, { seq, seenMs }]) => ({ edge, seq, seenMs }));
  }
}
