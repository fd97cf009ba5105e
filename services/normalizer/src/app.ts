import { randomBytes } from 'node:crypto';
import { GroupWorkers } from '@weir/delivery';
import { Breaker, createBacklogReporter, createRetentionWatch } from '@weir/flow';
import { createKafkaLog, createMembership, type KafkaLog } from '@weir/kafka';
import { type NormalizeEvents, Normalizer } from '@weir/normalize';
import { type Component, createLifecycle } from '@weir/pipeline';
import { type ConfigOf, collectCertificateEnds, kafkaAccess, type ServiceContext } from '@weir/process';
import { trackGroups, trackTopics } from '@weir/records';
import { collectWith, createAdmin, createMetrics, type Metrics } from '@weir/telemetry';
import { followerLines, followTenants, TenantDirectory } from '@weir/tenancy';
import type { NORMALIZER_CONFIG } from './config.ts';
import { liveness, readiness } from './health.ts';
import { LIMITS } from './limits.ts';
import { NORMALIZER_METRICS } from './metrics.ts';
import { PartitionWorker } from './partition-worker.ts';
import { UnknownTenants } from './unknown-tenants.ts';

const STOP_DEADLINE_MS = 20_000;
const OWNER_BYTES = 8;
/** A worker that failed is begun anew after this. */
const RESTART_MS = 1_000;

/** The normalizer: raw log -> consume -> transcode -> publish -> rows log, one worker for each partition. */
export function createApp(config: ConfigOf<typeof NORMALIZER_CONFIG>, context: ServiceContext): Component {
  const { clock, logger, registry, instance, version } = context;
  const { raw: rawTopic, rows: rowsTopic } = trackTopics(config.track);
  const groupId = trackGroups(config.track).normalizer;
  const kafka = { ...kafkaAccess(config.kafka), clientId: `weir-normalizer-${instance}` };
  const metrics = createMetrics(NORMALIZER_METRICS, registry);
  metrics.buildInfo.set({ version, track: config.track }, 1);

  const log = createKafkaLog(kafka, logger, clock);
  const membership = createMembership(kafka, { groupId, topic: rawTopic }, logger, clock);

  const directory = new TenantDirectory('');
  const { stateDir } = config;
  const tenants = followTenants(log, directory, { stateDir, clock, events: followerLines(logger) });
  const normalizer = new Normalizer((name) => directory.get(name), normalizeEvents(metrics));
  const breaker = new Breaker(clock);
  const unknownTenants = new UnknownTenants(directory, clock);

  const partitions = new GroupWorkers<PartitionWorker>(
    membership,
    clock,
    {
      failed: (partition, error) => {
        breaker.failed(partition, RESTART_MS);
        logger.warn({ err: error, partition }, 'a partition is taken up again');
      },
      fatal: context.fatal,
      owned: (numbers) => {
        if (numbers.length === 0) breaker.close();
        metrics.partitions.set(numbers.length);
        metrics.lag.reset();
      },
    },
    (partition, former) => {
      const parts = {
        log,
        membership,
        normalizer,
        unknownTenants,
        newOwner: () => randomBytes(OWNER_BYTES).toString('hex'),
        clock,
        track: config.track,
        rawTopic,
        rowsTopic,
        onTakeOver: () => metrics.takeOvers.inc(),
        onLost: lostEvent(rawTopic, metrics, context),
        onTranscoded: (seconds: number) => metrics.transcodeSeconds.observe(seconds),
        onProduced: (rows: number, seconds: number) => {
          metrics.recordRows.observe(rows);
          metrics.produceSeconds.observe(seconds);
        },
        onMoved: () => breaker.works(partition),
        onFailed: (retryInMs: number) => breaker.failed(partition, retryInMs),
      };
      return new PartitionWorker(partition, parts, former?.progress);
    },
  );
  const reporter = createBacklogReporter({
    log,
    topic: rawTopic,
    self: { reporter: instance, track: config.track, role: 'normalizer' },
    bounds: config.backlog,
    partitions,
    breaker,
    gauges: metrics,
    clock,
    onFault: (what, error) => logger.debug({ err: error }, what),
  });
  const retentionWatch = watchRetention(log, rawTopic, partitions, metrics, context);
  collectProgress(metrics, partitions, directory);
  collectCertificateEnds(metrics.clientCertificateExpiry, { kafka: kafka.tls }, clock);

  const admin = createAdmin({
    listen: config.adminListen,
    registry,
    readiness: () => readiness(partitions, directory, clock),
    liveness: () => liveness(partitions, clock),
  });
  return createLifecycle([partitions, reporter, retentionWatch, tenants, connectionsOf(log), admin], {
    clock,
    stopDeadlineMs: STOP_DEADLINE_MS,
    onFault: (name, error) => logger.warn({ err: error, part: name }, 'a part did not stop cleanly'),
  });
}

function connectionsOf(log: KafkaLog): Component {
  return { name: 'connections', start: async () => undefined, stop: () => log.close() };
}

function watchRetention(
  log: KafkaLog,
  topic: string,
  partitions: GroupWorkers<PartitionWorker>,
  { oldestWaiting, retentionUsed }: Metrics<typeof NORMALIZER_METRICS>,
  { clock, logger }: ServiceContext,
): Component {
  const onFault = (error: unknown) =>
    logger.warn({ err: error }, 'how near exports are to their retention is not known');
  const parts = { log, topic, partitions, clock, everyMs: LIMITS.retentionLookMs, onFault };
  return createRetentionWatch(parts, (waiting) => {
    oldestWaiting.set(waiting.oldestSeconds);
    retentionUsed.set(waiting.retentionUsed);
  });
}

function lostEvent(topic: string, { lost }: Metrics<typeof NORMALIZER_METRICS>, { logger }: ServiceContext) {
  return (partition: number, records: number): void => {
    lost.inc(records);
    logger.error({ topic, partition, records }, 'Kafka let go of exports that were not read');
  };
}

function normalizeEvents(metrics: Metrics<typeof NORMALIZER_METRICS>): NormalizeEvents {
  return {
    received: (signal, bytes) => {
      metrics.records.inc({ signal });
      metrics.bodyBytes.inc({ signal }, bytes);
    },
    repeated: () => metrics.repeated.inc(),
    written: (signal, items) => metrics.items.inc({ signal }, items),
    renamed: (signal, names) => metrics.renamed.inc({ signal }, names),
    deadLettered: (reason, items) => metrics.deadLettered.inc({ reason }, items),
  };
}

function collectProgress(
  metrics: Metrics<typeof NORMALIZER_METRICS>,
  partitions: GroupWorkers<PartitionWorker>,
  directory: TenantDirectory,
): void {
  collectWith(metrics.lag, () => {
    for (const [partition, { progress }] of partitions.workers) {
      metrics.lag.set({ partition: String(partition) }, Math.max(0, progress.endOffset - progress.doneTo));
    }
  });
  collectWith(metrics.tenants, () => metrics.tenants.set(directory.size));
}
