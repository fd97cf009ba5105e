import { type ClickHouse, createClickHouse } from '@weir/clickhouse';
import { GroupWorkers, ProgressLog } from '@weir/delivery';
import { Breaker, createBacklogReporter, createRetentionWatch } from '@weir/flow';
import { createKafkaLog, createMembership, type KafkaLog } from '@weir/kafka';
import { type Clock, type Component, createLifecycle } from '@weir/pipeline';
import {
  type ConfigOf,
  clickhouseAccess,
  collectCertificateEnds,
  kafkaAccess,
  type ServiceContext,
} from '@weir/process';
import { trackGroups, trackTopics } from '@weir/records';
import { collectWith, createAdmin, createMetrics, type Metrics } from '@weir/telemetry';
import { type BatchCut, oldestReceivedAtNs } from './batches.ts';
import { type BooksDifferences, createBooksWatch } from './books/books-watch.ts';
import type { SINK_CONFIG } from './config.ts';
import { HeldAnswers } from './consume/held-answers.ts';
import { Cutter } from './cutter.ts';
import { createDlqWatch, type DlqState } from './flow/dlq-watch.ts';
import { Health } from './health.ts';
import { BatchInserter, type InsertEvents } from './insert/batch-inserter.ts';
import { LIMITS } from './limits.ts';
import { SINK_METRICS } from './metrics.ts';
import { PartitionWorker } from './partition-worker.ts';

const STOP_DEADLINE_MS = 20_000;
/** Of each track one sink has it, which compares the books. */
const BOOKS_PARTITION = 0;

/**
 * The sink: rows log -> consume -> batch -> cut -> insert -> ClickHouse, one worker for each partition whose batches a cutter puts
 * together, and the backlog told on weir.flow.
 */
export function createApp(config: ConfigOf<typeof SINK_CONFIG>, context: ServiceContext): Component {
  const { clock, logger, registry, instance, version } = context;
  const topic = trackTopics(config.track).rows;
  const kafka = { ...kafkaAccess(config.kafka), clientId: `weir-sink-${instance}` };
  const metrics = createMetrics(SINK_METRICS, registry);
  metrics.buildInfo.set({ version, track: config.track }, 1);
  const health = new Health(clock, config.batch.ageMsMax);
  const breaker = new Breaker(clock);

  const log = createKafkaLog(kafka, logger, clock);
  const access = clickhouseAccess(config.clickhouse);
  const clickhouse = createClickHouse(access);
  collectCertificateEnds(metrics.clientCertificateExpiry, { kafka: kafka.tls, clickhouse: access.tls }, clock);
  const membership = createMembership(kafka, { groupId: trackGroups(config.track).sink, topic }, logger, clock);

  const isOwn = (partition: number): boolean => partitions.workers.has(partition);
  const events = insertEvents({ metrics, health, breaker, isOwn }, context);
  const inserter = new BatchInserter(clickhouse, log, topic, clock, events);
  const onStored = ({ ranges }: BatchCut): void => {
    for (const { partition } of ranges) breaker.works(partition);
    metrics.batchRows.observe(ranges.reduce((sum, { rows }) => sum + rows, 0));
    metrics.cutPartitions.observe(ranges.length);
    for (const batch of ranges) {
      const oldest = oldestReceivedAtNs(batch);
      if (oldest !== undefined) metrics.ageSeconds.observe(Number(clock.wallNs() - oldest) / 1e9);
    }
  };
  const progress = new ProgressLog(log, topic);
  const bounds = { ...config.batch, blockBytesMax: LIMITS.partBytesMax };
  const cutter = new Cutter({
    ...{ membership, progress, inserter, clock, onStored },
    ...{ room: bounds, lateMsMax: config.batch.ageMsMax },
  });
  const answers = new HeldAnswers();
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
    (partition, former, revision) => {
      const parts = {
        ...{ log, answers, topic, membership, progress, clock, cutter, revision },
        bounds: { ...bounds, bytesMax: batchBytesMax(config, owned) },
        onTakeOver: (cut: boolean) => metrics.takeOvers.inc({ cut: String(cut) }),
        onLost: lostEvent(topic, metrics, context),
      };
      return new PartitionWorker(partition, parts, former?.progress);
    },
  );

  const reporter = createBacklogReporter({
    log,
    topic,
    self: { reporter: instance, track: config.track, role: 'sink' },
    bounds: config.backlog,
    partitions,
    breaker,
    gauges: metrics,
    clock,
    onFault: (what, error) => logger.debug({ err: error }, what),
  });
  collectProgress(metrics, partitions);

  const watches = createWatches({ log, clickhouse, partitions, topic, metrics, context, config });

  const admin = createAdmin({
    listen: config.adminListen,
    registry,
    readiness: () => health.readiness(partitions),
    liveness: () => health.liveness(partitions),
  });
  return createLifecycle([partitions, reporter, ...watches, connectionsOf(log, clickhouse), admin], {
    clock,
    stopDeadlineMs: STOP_DEADLINE_MS,
    onFault: (name, error) => logger.warn({ err: error, part: name }, 'a part did not stop cleanly'),
  });
}

/** Of each of so many partitions one batch fills while another is inserted. */
function batchBytesMax({ batch, bufferBytesMax }: ConfigOf<typeof SINK_CONFIG>, owned: number): number {
  return Math.min(batch.bytesMax, Math.max(LIMITS.partitionBytesMin, Math.floor(bufferBytesMax / owned / 2)));
}

function connectionsOf(...open: readonly { close(): Promise<void> }[]): Component {
  return {
    name: 'connections',
    start: async () => undefined,
    stop: async () => {
      await Promise.allSettled(open.map((each) => each.close()));
    },
  };
}

interface Watched {
  readonly log: KafkaLog;
  readonly clickhouse: ClickHouse;
  readonly partitions: GroupWorkers<PartitionWorker>;
  readonly topic: string;
  readonly metrics: Metrics<typeof SINK_METRICS>;
  readonly context: ServiceContext;
  readonly config: ConfigOf<typeof SINK_CONFIG>;
}

/** What looks at even times, beside the data path: weir.dlq, the retention, the books. */
function createWatches(watched: Watched): Component[] {
  const { log, clickhouse, partitions, topic, metrics, config } = watched;
  const { clock, logger } = watched.context;
  const onBlind = (error: unknown) => logger.debug({ err: error }, 'weir.dlq could not be looked at');
  const dlqWatch = createDlqWatch(log, clock, { everyMs: LIMITS.dlqLookMs, onFault: onBlind }, dlqGauges(metrics));
  const retentionWatch = createRetentionWatch(
    {
      log,
      topic,
      partitions,
      clock,
      everyMs: LIMITS.retentionLookMs,
      onFault: (error) => logger.warn({ err: error }, 'how near rows are to their retention is not known'),
    },
    ({ oldestSeconds, retentionUsed }) => {
      metrics.oldestWaiting.set(oldestSeconds);
      metrics.retentionUsed.set(retentionUsed);
    },
  );
  const booksWatch = createBooksWatch(
    {
      clickhouse,
      clock,
      database: config.clickhouse.database,
      everyMs: config.booksMs,
      isMine: () => partitions.workers.has(BOOKS_PARTITION),
      onFault: (error) => logger.warn({ err: error }, 'the books could not be compared'),
    },
    booksGauges(metrics, clock),
  );
  return [dlqWatch, retentionWatch, booksWatch];
}

function booksGauges(metrics: Metrics<typeof SINK_METRICS>, clock: Clock) {
  return (differences: BooksDifferences | undefined): void => {
    metrics.booksDifference.reset();
    if (differences === undefined) return;
    for (const [difference, items] of Object.entries(differences)) metrics.booksDifference.set({ difference }, items);
    metrics.booksCompared.set(Number(clock.wallNs()) / 1e9);
  };
}

function lostEvent(topic: string, { lost }: Metrics<typeof SINK_METRICS>, { logger }: ServiceContext) {
  return (partition: number, records: number): void => {
    lost.inc(records);
    logger.error({ topic, partition, records }, 'Kafka let go of records that were not stored');
  };
}

interface Inserting {
  readonly metrics: Metrics<typeof SINK_METRICS>;
  readonly health: Health;
  readonly breaker: Breaker;
  /** Whether a partition is this sink's: a cut that is made again may hold others. */
  readonly isOwn: (partition: number) => boolean;
}

function insertEvents({ metrics, health, breaker, isOwn }: Inserting, { logger }: ServiceContext): InsertEvents {
  return {
    inserted: (table, rows, bytes, seconds) => {
      health.inserted();
      metrics.inserts.inc({ table });
      metrics.rows.inc({ table }, rows);
      metrics.bytes.inc({ table }, bytes);
      metrics.insertSeconds.observe({ table }, seconds);
    },
    failed: (table, error, retryInMs, partitions) => {
      for (const partition of partitions.filter(isOwn)) breaker.failed(partition, retryInMs);
      if (health.insertFailed()) logger.warn({ err: error, table }, 'inserts fail; they are tried again');
      metrics.insertFailures.inc({ table, retryable: 'true' });
    },
    refused: (table) => metrics.insertFailures.inc({ table, retryable: 'false' }),
    passedOverView: (table) => metrics.viewsPassedOver.inc({ table }),
    deadLettered: (reason) => metrics.deadLettered.inc({ reason }),
  };
}

function collectProgress(metrics: Metrics<typeof SINK_METRICS>, partitions: GroupWorkers<PartitionWorker>): void {
  const { lag, bufferedBytes } = metrics;
  collectWith(lag, () => {
    for (const [partition, { progress }] of partitions.workers) {
      lag.set({ partition: String(partition) }, Math.max(0, progress.endOffset - progress.doneTo));
    }
  });
  collectWith(bufferedBytes, () => {
    bufferedBytes.set([...partitions.workers.values()].reduce((sum, { progress }) => sum + progress.bufferedBytes, 0));
  });
}

function dlqGauges(metrics: Metrics<typeof SINK_METRICS>): (state: DlqState) => void {
  return ({ held, evicted }) => {
    metrics.dlqHeld.set(held);
    // A counter by what it counts: Kafka keeps it, and no instance has a share of it.
    metrics.dlqEvicted.reset();
    metrics.dlqEvicted.inc(evicted);
  };
}
