import type { GroupWorkers, Log } from '@weir/delivery';
import { type BacklogBounds, BacklogMeter, type Breaker, backlogReport, createFlowReporter } from '@weir/flow';
import type { Component } from '@weir/pipeline';
import type { ServiceContext } from '@weir/process';
import type { FlowReport, Track } from '@weir/records';
import type { Metrics } from '@weir/telemetry';
import type { NORMALIZER_METRICS } from '../metrics.ts';
import type { PartitionWorker } from '../partition-worker.ts';

/** What is measured, and where it is said. */
export interface BacklogParts {
  readonly log: Log;
  readonly track: Track;
  readonly bounds: BacklogBounds;
  readonly partitions: GroupWorkers<PartitionWorker>;
  readonly breaker: Breaker;
  readonly metrics: Metrics<typeof NORMALIZER_METRICS>;
}

/** Asking for an end is cut short by the client's own deadlines. */
const NEVER = new AbortController().signal;

/** Measures every second how much of the raw log waits for this normalizer, and says so on weir.flow and in the gauges. */
export function createBacklogReporter(parts: BacklogParts, { clock, logger, instance }: ServiceContext): Component {
  const { log, track, bounds, partitions, breaker, metrics } = parts;
  const meter = new BacklogMeter(bounds);
  const onBlind = (error: unknown) => logger.debug({ err: error }, 'the end of a partition could not be looked at');
  const look = (): Omit<FlowReport, 'atMs' | 'leaving'> => {
    for (const worker of partitions.workers.values()) worker.lookAtEnd(NEVER).catch(onBlind);
    const all = [...partitions.workers].map(([partition, { progress }]) => [partition, progress] as const);
    const backlog = meter.look(all, clock.nowMs(), breaker.isClosed);
    metrics.backlogBytes.set(backlog.bytes);
    metrics.backlogSeconds.set(backlog.seconds ?? -1);
    metrics.fill.set(backlog.fill);
    metrics.breakerOpen.set(breaker.isClosed ? 0 : 1);
    return { reporter: instance, track, role: 'normalizer', ...backlogReport(backlog), breaker: breaker.look() };
  };
  const onFault = (error: unknown) => logger.debug({ err: error }, 'a flow report was not sent');
  return createFlowReporter(log, clock, onFault, look);
}
