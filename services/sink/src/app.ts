import { createClickHouse } from '@weir/clickhouse';
import { GroupWorkers } from '@weir/delivery';
import { BacklogMeter, Breaker, backlogReport, createFlowReporter } from '@weir/flow';
import { createKafkaLog, createMembership } from '@weir/kafka';
import { type Clock, type Component, createLifecycle } from '@weir/pipeline';
import type { ConfigOf, ServiceContext } from '@weir/process';
import { type FlowReport, trackGroups, trackTopics } from '@weir/records';
import { createAdmin, createMetrics, type Metrics } from '@weir/telemetry';
import { type Batch, oldestReceivedAtNs } from './batches.ts';
import type { SINK_CONFIG } from './config.ts';
import { createDlqWatch, type DlqState } from './flow/dlq-watch.ts';
import { Health } from './health.ts';
import { BatchInserter, type InsertEvents } from './insert/batch-inserter.ts';
import { LIMITS } from './limits.ts';
import { SINK_METRICS } from './metrics.ts';
import { PartitionWorker } from './partition-worker.ts';

const STOP_DEADLINE_MS = 20_000;

/**
 * The sink: rows log -> consume -> batch -> insert -> ClickHouse, one worker for each partition, and the backlog told on
 * weir.flow.
 */
export function createApp(config: ConfigOf<typeof SINK_CONFIG>, context: ServiceContext): Component {
  const { clock, logger, registry, instance, version } = context;
  const topic = trackTopics(config.track).rows;
  const kafka = { brokers: config.kafka.brokers, clientId: `weir-sink-${instance}` };
  const metrics = createMetrics(SINK_METRICS, registry);
  metrics.buildInfo.set({ version, track: config.track }, 1);
  const health = new Health(clock, config.batch.ageMsMax);
  const breaker = new Breaker(clock);

  const log = createKafkaLog(kafka, logger, clock);
  const clickhouse = createClickHouse(config.clickhouse);
  const membership = createMembership(kafka, { groupId: trackGroups(config.track).sink, topic }, logger, clock);

  const inserter = new BatchInserter(clickhouse, log, topic, clock, insertEvents(metrics, health, breaker, context));
  const onStored = (batch: Batch): void => {
    metrics.batchRows.observe(batch.rows);
    const oldest = oldestReceivedAtNs(batch);
    if (oldest !== undefined) metrics.ageSeconds.observe(Number(clock.wallNs() - oldest) / 1e9);
  };
  const bounds = { ...config.batch, blockBytesMax: LIMITS.partBytesMax };
  let owned = 1;
  const partitions = new GroupWorkers<PartitionWorker>(
    membership,
    clock,
    {
      failed: (partition, error) => logger.warn({ err: error, partition }, 'a partition is taken up again'),
      fatal: context.fatal,
      owned: (numbers) => {
        owned = Math.max(1, numbers.length);
        if (numbers.length === 0) {
          health.ownsNothing();
          breaker.close();
        }
        metrics.partitions.set(numbers.length);
        metrics.lag.reset();
      },
    },
    (partition, former) => {
      const parts = {
        log,
        membership,
        inserter,
        clock,
        topic,
        // Two batches of a partition are in memory: one fills while the other is inserted.
        bounds: { ...bounds, bytesMax: Math.min(bounds.bytesMax, Math.floor(config.bufferBytesMax / owned / 2)) },
        onStored,
        onTakeOver: (cut: boolean) => metrics.takeOvers.inc({ cut: String(cut) }),
      };
      return new PartitionWorker(partition, parts, former?.progress.movedMs);
    },
  );

  const self = { reporter: instance, track: config.track, role: 'sink' } as const;
  const meter = new BacklogMeter(config.backlog);
  const look = createLook({ partitions, meter, breaker, metrics, clock, self });
  const onFault = (error: unknown) => logger.debug({ err: error }, 'a flow report was not sent');
  const reporter = createFlowReporter(log, clock, onFault, look);

  const onBlind = (error: unknown) => logger.debug({ err: error }, 'weir.dlq could not be looked at');
  const dlqWatch = createDlqWatch(log, clock, { everyMs: LIMITS.dlqLookMs, onFault: onBlind }, dlqGauges(metrics));

  const admin = createAdmin({
    listen: config.adminListen,
    registry,
    readiness: () => health.readiness(partitions),
    liveness: () => health.liveness(partitions),
  });
  const connections: Component = {
    name: 'connections',
    start: async () => undefined,
    stop: async () => {
      await Promise.allSettled([log.close(), clickhouse.close()]);
    },
  };
  return createLifecycle([partitions, reporter, dlqWatch, connections, admin], {
    clock,
    stopDeadlineMs: STOP_DEADLINE_MS,
    onFault: (name, error) => logger.warn({ err: error, part: name }, 'a part did not stop cleanly'),
  });
}

function insertEvents(
  metrics: Metrics<typeof SINK_METRICS>,
  health: Health,
  breaker: Breaker,
  { logger }: ServiceContext,
): InsertEvents {
  return {
    inserted: (table, rows, bytes, seconds) => {
      health.inserted();
      breaker.close();
      metrics.inserts.inc({ table });
      metrics.rows.inc({ table }, rows);
      metrics.bytes.inc({ table }, bytes);
      metrics.insertSeconds.observe({ table }, seconds);
    },
    failed: (table, error, retryInMs) => {
      breaker.failed(retryInMs);
      if (health.insertFailed()) logger.warn({ err: error, table }, 'inserts fail; they are tried again');
      metrics.insertFailures.inc({ table, retryable: 'true' });
    },
    refused: (table) => metrics.insertFailures.inc({ table, retryable: 'false' }),
    passedOverView: (table) => metrics.viewsPassedOver.inc({ table }),
    deadLettered: (reason) => metrics.deadLettered.inc({ reason }),
  };
}

interface LookParts {
  readonly partitions: GroupWorkers<PartitionWorker>;
  readonly meter: BacklogMeter;
  readonly breaker: Breaker;
  readonly metrics: Metrics<typeof SINK_METRICS>;
  readonly clock: Clock;
  readonly self: Pick<FlowReport, 'reporter' | 'track' | 'role'>;
}

/** Brings the gauges up to date and says what goes to weir.flow. */
function createLook({ partitions, meter, breaker, metrics, clock, self }: LookParts) {
  return (): Omit<FlowReport, 'atMs' | 'leaving'> => {
    const all = [...partitions.workers].map(([partition, { progress }]) => [partition, progress] as const);
    for (const [partition, { doneTo, endOffset }] of all) {
      metrics.lag.set({ partition: String(partition) }, Math.max(0, endOffset - doneTo));
    }
    const backlog = meter.look(all, clock.nowMs(), breaker.isClosed);
    metrics.backlogBytes.set(backlog.bytes);
    metrics.backlogSeconds.set(backlog.seconds ?? -1);
    metrics.fill.set(backlog.fill);
    metrics.breakerOpen.set(breaker.isClosed ? 0 : 1);
    metrics.bufferedBytes.set(all.reduce((sum, [, { bufferedBytes }]) => sum + bufferedBytes, 0));
    return { ...self, ...backlogReport(backlog), breaker: breaker.look() };
  };
}

function dlqGauges(metrics: Metrics<typeof SINK_METRICS>): (state: DlqState) => void {
  return ({ held, evicted }) => {
    metrics.dlqHeld.set(held);
    // A counter by what it counts: Kafka keeps it, and no instance has a share of it.
    metrics.dlqEvicted.reset();
    metrics.dlqEvicted.inc(evicted);
  };
}
