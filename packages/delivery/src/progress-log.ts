import { DependencyError } from '@weir/pipeline';
import { CONTROL_TOPICS, decodeProgress, encodeProgress, progressKey } from '@weir/records';
import { type CommitMetadata, decodeCommitMetadata, isCommitMetadata } from './commit-metadata.ts';
import type { Committed, Log, Positions } from './log.ts';
import { weightOf } from './refused-units.ts';

const PARTITION = 0;
const READ = { maxBytes: 4 * 1024 ** 2, maxWaitMs: 500 };
/** Reads in turn that may bring nothing. */
const EMPTY_MAX = 20;

/**
 * The committed positions of a rows topic, kept a second time on the compacted topic weir.progress. A group's offsets can be
 * rewound or lost by an operator's hand; what has been inserted must not be cut anew then, under other tokens.
 *
 * Only what the group has taken is written here, so a former owner can add nothing but what was true; of what it adds late, the
 * offset tells that it is old.
 */
export class ProgressLog {
  readonly #log: Log;
  readonly #topic: string;

  constructor(log: Log, topic: string) {
    this.#log = log;
    this.#topic = topic;
  }

  /** All or none: one append is one batch of Kafka's. */
  async put(positions: Positions, signal: AbortSignal): Promise<void> {
    const records = [...positions].map(([partition, position]) => ({
      key: Buffer.from(progressKey(this.#topic, partition)),
      value: encodeProgress(position),
      meta: null,
    }));
    await this.#log.append(CONTROL_TOPICS.progress, PARTITION, records, signal);
  }

  /** The furthest position there is of each of the partitions; none of one that was never put. */
  async read(partitions: readonly number[], signal: AbortSignal): Promise<Positions> {
    const positions = new Map<number, Committed>();
    await this.#each(partitions, signal, (partition, position) => {
      const known = positions.get(partition);
      positions.set(partition, known === undefined ? position : furthest(known, position));
    });
    return positions;
  }

  /** Every position that compaction has left of each of the partitions, the furthest first: mostly those of some minutes. */
  async history(
    partitions: readonly number[],
    signal: AbortSignal,
  ): Promise<ReadonlyMap<number, readonly Committed[]>> {
    const positions = new Map<number, Committed[]>(partitions.map((partition) => [partition, []]));
    await this.#each(partitions, signal, (partition, position) => positions.get(partition)!.push(position));
    for (const all of positions.values()) all.sort((a, b) => b.offset - a.offset);
    return positions;
  }

  async #each(
    partitions: readonly number[],
    signal: AbortSignal,
    found: (partition: number, position: Committed) => void,
  ): Promise<void> {
    const wanted = new Map(partitions.map((partition) => [progressKey(this.#topic, partition), partition]));
    const { start, end } = await this.#log.bounds(CONTROL_TOPICS.progress, PARTITION, signal);
    let empty = 0;
    for (let offset = start; offset < end; ) {
      const page = await this.#log.read(CONTROL_TOPICS.progress, PARTITION, offset, READ, signal);
      for (const { key, value } of page.records) {
        const partition = wanted.get(key?.toString('utf8') ?? '');
        const decoded = decodeProgress(value);
        if (partition !== undefined && decoded.ok) found(partition, decoded.value);
      }
      // A broker that has much else to send may answer with nothing; what is behind must be seen all the same.
      empty = page.nextOffset === offset ? empty + 1 : 0;
      if (empty > EMPTY_MAX)
        throw new DependencyError('kafka', 'timeout', 'weir.progress cannot be read to its end', { retryable: true });
      offset = page.nextOffset;
    }
  }
}

/**
 * Where a sink begins, by what the group and weir.progress say. An offset that is not ours was put there by an operator: it
 * says nothing of what has been inserted, and may lie in the middle of a recorded cut.
 */
export function sinkPosition(committed: Committed | null, progress: Committed | null): Committed | null {
  if (committed !== null && progress !== null && !isCommitMetadata(committed.metadata)) return progress;
  return committed === null || progress === null ? (committed ?? progress) : furthest(committed, progress);
}

/**
 * Which of two positions to believe. The further one; of equal ones the later owner's, as a former one did nothing about what
 * it could not record in time; of one owner's that which says more of what comes next: an append that arrives late must
 * not take a recorded cut back.
 */
function furthest(a: Committed, b: Committed): Committed {
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
