import { DependencyError } from '@weir/pipeline';
import { CONTROL_TOPICS, decodeProgress, encodeProgress, progressKey } from '@weir/records';
import { type CommitMetadata, decodeCommitMetadata, isCommitMetadata } from './commit-metadata.ts';
import type { Committed, Log } from './log.ts';
import { weightOf } from './refused-units.ts';

const PARTITION = 0;
const READ = { maxBytes: 4 * 1024 ** 2, maxWaitMs: 500 };
/** Reads in turn that may bring nothing. */
const EMPTY_MAX = 20;

/**
 * The committed positions of one rows partition, kept a second time on the compacted topic weir.progress. A group's offsets can be
 * rewound or lost by an operator's hand; what has been inserted must not be cut anew then, under other tokens.
 *
 * Only what the group has taken is written here, so a former owner can add nothing but what was true; of what it adds late, the
 * offset tells that it is old.
 */
export class ProgressLog {
  readonly #log: Log;
  readonly #key: string;

  constructor(log: Log, topic: string, partition: number) {
    this.#log = log;
    this.#key = progressKey(topic, partition);
  }

  async put(position: Committed, signal: AbortSignal): Promise<void> {
    const record = { key: Buffer.from(this.#key), value: encodeProgress(position), meta: null };
    await this.#log.append(CONTROL_TOPICS.progress, PARTITION, [record], signal);
  }

  /** The furthest position there is; null without one. */
  async read(signal: AbortSignal): Promise<Committed | null> {
    let position: Committed | null = null;
    const { start, end } = await this.#log.bounds(CONTROL_TOPICS.progress, PARTITION, signal);
    let empty = 0;
    for (let offset = start; offset < end; ) {
      const page = await this.#log.read(CONTROL_TOPICS.progress, PARTITION, offset, READ, signal);
      for (const { key, value } of page.records) {
        if (key?.toString('utf8') !== this.#key) continue;
        const decoded = decodeProgress(value);
        if (decoded.ok) position = furthest(position, decoded.value);
      }
      // A broker that has much else to send may answer with nothing; what is behind must be seen all the same.
      empty = page.nextOffset === offset ? empty + 1 : 0;
      if (empty > EMPTY_MAX)
        throw new DependencyError('kafka', 'timeout', 'weir.progress cannot be read to its end', { retryable: true });
      offset = page.nextOffset;
    }
    return position;
  }
}

/**
 * Where a sink begins, by what the group and weir.progress say. An offset that is not ours was put there by an operator: it
 * says nothing of what has been inserted, and may lie in the middle of a recorded cut.
 */
export function sinkPosition(committed: Committed | null, progress: Committed | null): Committed | null {
  if (committed !== null && progress !== null && !isCommitMetadata(committed.metadata)) return progress;
  return furthest(committed, progress);
}

/**
 * Which of two positions to believe. The further one; of equal ones the later owner's, as a former one did nothing about what
 * it could not record in time; of one owner's that which says more of what comes next: an append that arrives late must
 * not take a recorded cut back.
 */
function furthest(a: Committed | null, b: Committed | null): Committed | null {
  if (a === null || b === null) return a ?? b;
  if (a.offset !== b.offset) return a.offset > b.offset ? a : b;
  const [first, second] = [decodeCommitMetadata(a.metadata), decodeCommitMetadata(b.metadata)];
  const terms = (first.term ?? 0) - (second.term ?? 0);
  if (terms !== 0) return terms > 0 ? a : b;
  return said(first) >= said(second) ? a : b;
}

/** 0 without a cut, 1 with one, more with each unit that was refused. */
function said({ mark, refused = new Map() }: CommitMetadata): number {
  if (mark === null) return 0;
  return [...refused.values()].reduce((sum, marks) => sum + weightOf(marks), 1);
}
