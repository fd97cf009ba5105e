import type { Log } from '@weir/delivery';
import type { Clock, Component } from '@weir/pipeline';
import type { FlowReport } from '@weir/records';
import { type BacklogBounds, BacklogMeter, backlogReport, type PartitionBacklog } from './backlog-meter.ts';
import type { Breaker } from './breaker.ts';
import { createFlowReporter } from './flow-reporter.ts';

/** While a worker has seen no end for longer the end of its partition is asked for, so that the backlog is true. */
const END_SEEN_MS_MAX = 2_000;
/** Asking for an end is cut short by the client's own deadlines. */
const NEVER = new AbortController().signal;

const CLOSED = { state: 'closed', forMs: 0, waitMs: 0 } as const;

/** Work on one partition, as far as its backlog is concerned. */
export interface BacklogWork {
  readonly progress: PartitionBacklog & {
    /** Monotonic time when the end was seen. */
    readonly endSeenMs: number;
  };
  /** Told where the partition ends when the worker has not seen it for a while, whatever it does meanwhile. */
  sawEnd(offset: number): void;
}

interface Gauge {
  set(value: number): void;
}

/** What is measured, and where it is said. */
export interface BacklogParts {
  readonly log: Log;
  /** The log whose backlog it is. */
  readonly topic: string;
  readonly self: Pick<FlowReport, 'reporter' | 'track' | 'role'>;
  readonly bounds: BacklogBounds;
  readonly partitions: { readonly workers: ReadonlyMap<number, BacklogWork> };
  readonly breaker: Breaker;
  readonly gauges: Readonly<Record<'backlogBytes' | 'backlogSeconds' | 'fill' | 'breakerOpen', Gauge>>;
  readonly clock: Clock;
  /** A report was not sent, or an end could not be looked at: both are tried again by themselves. */
  readonly onFault: (what: string, error: unknown) => void;
}

/** Measures every second how much of a log waits for this process, and says so on weir.flow and in the gauges. */
export function createBacklogReporter(parts: BacklogParts): Component {
  const { log, topic, self, bounds, partitions, breaker, gauges, clock, onFault } = parts;
  const meter = new BacklogMeter(bounds);
  const looking = new Set<number>();
  const lookAtEnd = async (partition: number, worker: BacklogWork): Promise<void> => {
    const { endOffset, endSeenMs } = worker.progress;
    // A worker that knows nothing of its partition yet has no place in it either.
    if (endOffset === 0 || looking.has(partition) || clock.nowMs() - endSeenMs < END_SEEN_MS_MAX) return;
    looking.add(partition);
    try {
      worker.sawEnd((await log.bounds(topic, partition, NEVER)).end);
    } finally {
      looking.delete(partition);
    }
  };
  const onBlind = (error: unknown) => onFault('the end of a partition could not be looked at', error);
  const onUnsent = (error: unknown) => onFault('a flow report was not sent', error);
  return createFlowReporter(log, clock, onUnsent, () => {
    const { workers } = partitions;
    for (const [partition, worker] of workers) lookAtEnd(partition, worker).catch(onBlind);
    const all = [...workers].map(([partition, { progress }]) => [partition, progress] as const);
    const backlog = meter.look(all, clock.nowMs(), (partition) => breaker.fails(partition));
    gauges.backlogBytes.set(backlog.bytes);
    gauges.backlogSeconds.set(backlog.seconds ?? -1);
    gauges.fill.set(backlog.fill);
    gauges.breakerOpen.set(breaker.isClosed ? 0 : 1);
    // To the edges it says that nothing drains; beside partitions that work the drain says more.
    return { ...self, ...backlogReport(backlog), breaker: backlog.stalled ? breaker.look() : CLOSED };
  });
}
