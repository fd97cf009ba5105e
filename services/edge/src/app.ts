import type { Log } from '@weir/delivery';
import { createKafkaAdmin, createKafkaLog } from '@weir/kafka';
import { Budget, type Clock, type Component, createLifecycle, ZoneGauge } from '@weir/pipeline';
import { type ConfigOf, kafkaAccess, type ServiceContext } from '@weir/process';
import { type Track, trackTopics } from '@weir/records';
import { createAdmin, createMetrics } from '@weir/telemetry';
import { followerLines, followTenants, RateLimiter, TenantDirectory } from '@weir/tenancy';
import { createAdmission } from './admit/admission.ts';
import { authenticate } from './admit/authenticate.ts';
import type { EDGE_CONFIG } from './config.ts';
import { EdgeQueue } from './edge-queue.ts';
import { Demand } from './flow/demand.ts';
import { followFlow } from './flow/flow-follower.ts';
import { PipeState } from './flow/pipe-state.ts';
import { KafkaCheck, readiness } from './health.ts';
import { LIMITS } from './limits.ts';
import { EDGE_METRICS } from './metrics.ts';
import { collectGauges, createSeries, receiverEvents } from './observe.ts';
import { Books, type BooksParts } from './publish/books.ts';
import { Publisher } from './publish/publisher.ts';
import { GrpcReceiver } from './receive/grpc-receiver.ts';
import { HttpReceiver } from './receive/http-receiver.ts';
import type { ReceiverParts } from './receive/receiver.ts';
import { TlsFiles } from './receive/tls-files.ts';

const STOP_DEADLINE_MS = 15_000;

/** The edge: receive -> admit -> publish -> raw log. Built backwards, started backwards, stopped forwards. */
export function createApp(config: ConfigOf<typeof EDGE_CONFIG>, context: ServiceContext): Component {
  const { clock, logger, registry, instance, version } = context;
  const topic = trackTopics(config.track).raw;
  const kafka = { ...kafkaAccess(config.kafka), clientId: `weir-edge-${instance}` };
  const metrics = createMetrics(EDGE_METRICS, registry);
  metrics.buildInfo.set({ version, track: config.track }, 1);

  const log = createKafkaLog(kafka, logger, clock);
  const kafkaAdmin = createKafkaAdmin(kafka, logger);
  const directory = new TenantDirectory(config.pepper);
  const tenants = followDirectory(log, directory, config.stateDir, context);
  const tls = new TlsFiles(config.tls, clock, (error) =>
    logger.warn({ err: error }, 'the TLS files are not usable; the old ones stay'),
  );
  const pipe = new PipeState(clock, config.track);
  const flow = followFlow(log, clock, pipe, (error) => logger.debug({ err: error }, 'flow is not followed'));
  const demand = createDemand(log, directory, pipe, config.track, context);
  const queue = new EdgeQueue(new Budget(config.queue), (zone) => metrics.zoneChanges.inc({ of: 'queue', zone }));
  const pipeZone = new ZoneGauge((zone) => metrics.zoneChanges.inc({ of: 'pipe', zone }));

  const write: BooksParts['write'] = (usage) => publish.note(usage);
  const onLost: BooksParts['onLost'] = (items) => metrics.booksLost.inc(items);
  const books = new Books({ clock, write, onLost });
  const publish = new Publisher({
    log,
    clock,
    topic,
    queue,
    edge: instance,
    deadlineMs: config.kafka.deadlineMs,
    batches: config.async,
    partitions: (signal) => countPartitions(kafkaAdmin, topic, clock, signal),
    onProduced: (seconds) => metrics.produceSeconds.observe(seconds),
    onLost,
    onLostEnd: (error) => logger.error({ err: error }, 'nothing goes to a log that has lost its end'),
    books,
  });
  const kafkaCheck = new KafkaCheck(log, topic, clock, () => publish.partitions);
  const admission = createAdmission(
    {
      clock,
      limiter: new RateLimiter(clock),
      series: createSeries(metrics, clock),
      queue,
      pipeFill: () => pipe.current(),
      pipeZone,
      shares: demand,
      bodyBytesMax: config.body.bytesMax,
      onRejected: (signal, reason, items) => metrics.rejected.inc({ signal, reason }, items),
    },
    publish,
  );
  const receiver: Omit<ReceiverParts, 'listen'> = {
    tls,
    clientRequired: config.tls.clientRequired,
    bodyBytesMax: config.body.bytesMax,
    queue,
    clock,
    authenticate: (headers) => authenticate(directory, headers),
    events: receiverEvents(metrics, books, demand, context),
  };
  const http = new HttpReceiver({ ...receiver, listen: config.httpListen }, admission, config.connections);
  const grpc = new GrpcReceiver({ ...receiver, listen: config.grpcListen }, admission, config.connections);

  collectGauges(metrics, { queue, publish, pipeZone, pipe, demand, directory, tls, kafka, clock });
  const admin = createAdmin({
    listen: config.adminListen,
    registry,
    readiness: () => readiness(kafkaCheck, publish, directory),
    liveness: () => [],
  });
  const connections = { name: 'connections', start: async () => undefined, stop: () => log.close() };
  const parts = [together([http, grpc]), demand, books, publish, flow, tenants, tls, kafkaCheck, connections, admin];
  return createLifecycle(parts, {
    clock,
    stopDeadlineMs: STOP_DEADLINE_MS,
    onFault: (name, error) => logger.warn({ err: error, part: name }, 'a part did not stop cleanly'),
  });
}

/** Receivers as one: while the one answers what it has, the other must not take more. */
function together(receivers: readonly Component[]): Component {
  return {
    name: 'receivers',
    start: async (signal) => {
      for (const receiver of receivers) await receiver.start(signal);
    },
    stop: async (signal) => {
      await Promise.all(receivers.map((receiver) => receiver.stop(signal)));
    },
  };
}

function followDirectory(log: Log, directory: TenantDirectory, stateDir: string, { clock, logger }: ServiceContext) {
  return followTenants(log, directory, { stateDir, clock, waits: false, events: followerLines(logger) });
}

function createDemand(
  log: Log,
  directory: TenantDirectory,
  pipe: PipeState,
  track: Track,
  { clock, logger, instance }: ServiceContext,
): Demand {
  return new Demand({
    log,
    clock,
    edge: instance,
    track,
    tenant: (name) => directory.get(name),
    fullest: () => pipe.fullest,
    onFault: (error) => logger.debug({ err: error }, 'the demand is not told, or not followed'),
  });
}

/** Waits for the topic: an edge may start before it is there. */
async function countPartitions(
  kafkaAdmin: ReturnType<typeof createKafkaAdmin>,
  topic: string,
  clock: Clock,
  signal: AbortSignal,
): Promise<number> {
  for (;;) {
    const found = await kafkaAdmin.describe([topic]).catch(() => []);
    const partitions = found[0]?.partitions ?? 0;
    if (partitions > 0) return partitions;
    await clock.sleep(LIMITS.topicRetryMs, signal);
  }
}
