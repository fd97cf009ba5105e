import {
  type Committed,
  decodeCommitMetadata,
  isCommitMetadata,
  type LeaderOfCut,
  lostEndError,
  type Membership,
  type ProgressLog,
  type SinkStart,
  sinkPosition,
  sinkStart,
} from '@weir/delivery';
import type { Clock } from '@weir/pipeline';
import type { Batch, BatchCut, RowsEntry } from './batches.ts';
import { type RowsPlace, RowsSource } from './consume/rows-source.ts';
import { LIMITS } from './limits.ts';

/** Where recorded cuts, and the records of them, stand. */
export interface RecordedIn extends RowsPlace {
  readonly membership: Membership;
  readonly progress: ProgressLog;
  readonly clock: Clock;
}

/** What a partition begins with. */
export interface TakenUp {
  readonly start: SinkStart;
  /** Whether its recorded cut is in ClickHouse: whoever led that has settled it. */
  readonly isStored: boolean;
}

/** A partition's position, by the group and weir.progress together. */
interface Position {
  readonly committed: Committed | null;
  readonly believed: Committed | null;
}

/**
 * Cuts as they were recorded, for who takes a partition over. What the simulation switches off are methods.
 *
 * All partitions of a cut are settled by one commit. So while the group's own position of one of them stands at the cut, it has not been
 * settled, wherever the others stand: somebody put those elsewhere. Only where that position is known from weir.progress alone do the
 * others tell.
 */
export class RecordedCuts {
  readonly #places: RecordedIn;

  constructor(places: RecordedIn) {
    this.#places = places;
  }

  /**
   * Where a partition begins. While it is in an open cut that another one leads, whoever has that one inserts all of the cut, and
   * nobody else may: this waits until one of the two has moved. Undefined where `draining` aborts before.
   *
   * @param logStart first offset that is retained
   * @param onFound told where the partition stands, before it is waited for another
   * @throws DependencyError; the signal's reason
   */
  async takeUp(
    partition: number,
    logStart: number,
    signal: AbortSignal,
    draining: AbortSignal,
    onFound: (start: SinkStart) => void,
  ): Promise<TakenUp | undefined> {
    const { membership, clock } = this.#places;
    for (;;) {
      const [own] = await this.#positionsOf([partition], signal);
      const start = sinkStart(own!.believed, logStart);
      const { leader } = start;
      onFound(start);
      if (leader === undefined) return { start, isStored: false };
      const [led] = await this.#positionsOf([leader.partition], signal);
      const isMoved = async () =>
        !isSame(own!.committed, await membership.committed(partition, signal)) ||
        !isSame(led!.committed, await membership.committed(leader.partition, signal));
      if (!this.isOpen(led!.believed, leader, partition)) {
        // It may have been settled between the two looks.
        if (await isMoved()) continue;
        return { start, isStored: this.isKept(own!) && isBehind(led!.believed, leader) };
      }
      while (!(await isMoved())) {
        if (draining.aborted) return undefined;
        await clock.sleep(LIMITS.leaderLookMs, signal);
      }
    }
  }

  /** The cut that a partition leads, read again record by record, and whether it is in ClickHouse already. */
  async read(
    partition: number,
    start: SinkStart,
    signal: AbortSignal,
  ): Promise<{ readonly cut: BatchCut; readonly isStored: boolean }> {
    const [own, ...others] = await this.#positionsOf([partition, ...start.members], signal);
    const ranges = [await this.readRange(partition, start, signal)];
    let isStored = false;
    for (const [at, { believed }] of others.entries()) {
      // Lost: it is no longer of the cut, and cut anew.
      if (believed === null || !isCommitMetadata(believed.metadata)) continue;
      const its = sinkStart(believed, believed.offset);
      const isOfIt = its.leader?.partition === partition && its.leader.first === start.offset;
      if (isOfIt) ranges.push(await this.readRange(start.members[at]!, its, signal));
      else isStored ||= this.isKept(own!);
    }
    return { cut: { ranges, apart: start.apart, refused: start.refused }, isStored };
  }

  /** The records of a recorded cut that are of one partition, without those that Kafka has let go of. */
  async readRange(partition: number, start: SinkStart, signal: AbortSignal): Promise<Batch> {
    const { log, topic } = this.#places;
    const { offset: first, cut, state, term } = start;
    const last = cut ?? first - 1;
    const bounds = await log.bounds(topic, partition, signal);
    if (last >= bounds.end) throw lostEndError(topic, partition, { end: bounds.end, recorded: last + 1 });
    const source = new RowsSource(this.#places, partition, Math.max(first, bounds.start), state);
    const entries: RowsEntry[] = [];
    while (source.offset <= last) {
      const options = { maxBytes: LIMITS.readBytesMax, maxWaitMs: LIMITS.readWaitMs };
      const page = await source.read(options, signal);
      entries.push(...page.entries.filter(({ offset }) => offset <= last));
    }
    return {
      ...{ partition, first, last, term, entries },
      stateBefore: state,
      stateAfter: entries.at(-1)?.stateAfter ?? state,
      bytes: entries.reduce((sum, { heldBytes }) => sum + heldBytes, 0),
      rows: entries.reduce((sum, { rows }) => sum + rows, 0),
    };
  }

  /** Whether a partition's cut is still to be inserted by whoever has its leader. */
  isOpen(led: Committed | null, { first }: LeaderOfCut, partition: number): boolean {
    if (led?.offset !== first) return false;
    const { mark, members = [] } = decodeCommitMetadata(led.metadata);
    return mark !== null && members.includes(partition);
  }

  /** Whether the group has lost the position, and weir.progress has it. */
  isKept({ committed, believed }: Position): boolean {
    return !isSame(committed, believed);
  }

  async #positionsOf(partitions: readonly number[], signal: AbortSignal): Promise<Position[]> {
    const { membership, progress } = this.#places;
    const all = await Promise.all(partitions.map((partition) => membership.committed(partition, signal)));
    const kept = await progress.read(partitions, signal);
    return all.map((committed, at) => {
      return { committed, believed: sinkPosition(committed, kept.get(partitions[at]!) ?? null) };
    });
  }
}

/** Whether the leader of a cut has gone on from it. */
function isBehind(led: Committed | null, { first }: LeaderOfCut): boolean {
  return led !== null && isCommitMetadata(led.metadata) && led.offset > first;
}

function isSame(a: Committed | null, b: Committed | null): boolean {
  return a?.offset === b?.offset && a?.metadata === b?.metadata;
}
