import { randomInt } from 'node:crypto';
import type { Log } from '@weir/delivery';
import { createKafkaAdmin, createKafkaLog } from '@weir/kafka';
import { Budget, type Clock, type Component, createLifecycle, InvariantError, ZONES, ZoneGauge } from '@weir/pipeline';
import type { ConfigOf, ServiceContext } from '@weir/process';
import { trackTopics } from '@weir/records';
import { collectWith, createAdmin, createMetrics, createTopLabels, type Metrics } from '@weir/telemetry';
import { ActiveSeries, followTenants, RateLimiter, TenantDirectory } from '@weir/tenancy';
import { createAdmission } from './admit/admission.ts';
import { authenticate } from './admit/authenticate.ts';
import type { EDGE_CONFIG } from './config.ts';
import { EdgeQueue } from './edge-queue.ts';
import { FlowFollower } from './flow/flow-follower.ts';
import { KafkaCheck } from './health.ts';
import { LIMITS } from './limits.ts';
import { EDGE_METRICS } from './metrics.ts';
import { Books, type BooksParts, bookedAs } from './publish/books.ts';
import { Publisher } from './publish/publisher.ts';
import { GrpcReceiver } from './receive/grpc-receiver.ts';
import { HttpReceiver } from './receive/http-receiver.ts';
import type { ReceiverEvents, ReceiverParts } from './receive/receiver.ts';
import { TlsFiles } from './receive/tls-files.ts';

const STOP_DEADLINE_MS = 15_000;
const TENANT_LABELS_MAX = 50;

/** The edge: receive -> admit -> publish -> raw log. Built backwards, started backwards, stopped forwards. */
export function createApp(config: ConfigOf<typeof EDGE_CONFIG>, context: ServiceContext): Component {
  const { clock, logger, registry, instance, version } = context;
  const topic = trackTopics(config.track).raw;
  const kafka = { brokers: config.kafka.brokers, clientId: `weir-edge-${instance}` };
  const metrics = createMetrics(EDGE_METRICS, registry);
  metrics.buildInfo.set({ version, track: config.track }, 1);

  const log = createKafkaLog(kafka, logger, clock);
  const kafkaAdmin = createKafkaAdmin(kafka, logger);
  const directory = new TenantDirectory(config.pepper);
  const tenants = followAll(log, directory, config.stateDir, context);
  const tls = new TlsFiles(config.tls, clock, (error) =>
    logger.warn({ err: error }, 'the TLS files are not usable; the old ones stay'),
  );
  const flow = new FlowFollower(log, clock, config.track, (error) =>
    logger.debug({ err: error }, 'flow is not followed'),
  );
  const queue = new EdgeQueue(new Budget(config.queue), (zone) => metrics.zoneChanges.inc({ of: 'queue', zone }));
  const sinkZone = new ZoneGauge((zone) => metrics.zoneChanges.inc({ of: 'sinks', zone }));

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
    books,
  });
  const kafkaCheck = new KafkaCheck(log, topic, clock, () => publish.partitions);
  const admission = createAdmission(
    {
      clock,
      limiter: new RateLimiter(clock),
      series: createSeries(metrics, clock),
      queue,
      sinkFill: () => flow.current(),
      sinkZone,
      bodyBytesMax: config.body.bytesMax,
      onRejected: ({ signal }, reason, items) => metrics.rejected.inc({ signal, reason }, items),
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
    events: receiverEvents(metrics, books, context),
  };
  const http = new HttpReceiver({ ...receiver, listen: config.httpListen }, admission, config.connections);
  const grpc = new GrpcReceiver({ ...receiver, listen: config.grpcListen }, admission, config.connections);

  collectGauges(metrics, { queue, sinkZone, flow, directory, tls });
  const admin = createAdmin({
    listen: config.adminListen,
    registry,
    readiness: () => [
      ...(kafkaCheck.answers ? [] : ['Kafka does not answer']),
      ...(directory.complete || directory.size > 0 ? [] : ['the tenants are not known']),
    ],
    liveness: () => [],
  });
  const connections = { name: 'connections', start: async () => undefined, stop: () => log.close() };
  const parts = [http, grpc, books, publish, flow, tenants, tls, kafkaCheck, connections, admin];
  return createLifecycle(parts, {
    clock,
    stopDeadlineMs: STOP_DEADLINE_MS,
    onFault: (name, error) => logger.warn({ err: error, part: name }, 'a part did not stop cleanly'),
  });
}

function followAll(log: Log, directory: TenantDirectory, stateDir: string, { clock, logger }: ServiceContext) {
  return followTenants(log, directory, {
    stateDir,
    clock,
    waits: false,
    events: {
      unreadable: (key) => logger.warn({ tenant: key }, 'a tenant record cannot be read and is passed over'),
      failed: (error) => logger.debug({ err: error }, 'the tenants are not followed at the moment'),
    },
  });
}

function receiverEvents(metrics: Metrics<typeof EDGE_METRICS>, books: Books, context: ServiceContext): ReceiverEvents {
  const tenantLabel = createTopLabels(TENANT_LABELS_MAX);
  return {
    failed: (error) => {
      context.logger.error({ err: error }, 'an export could not be handled');
      if (error instanceof InvariantError) context.fatal(error);
    },
    received: (signal, transport, bytes) => {
      metrics.exports.inc({ signal, transport });
      metrics.receivedBytes.inc({ signal, transport }, bytes);
    },
    answered: (signal, transport, tenant, answer, seconds) => {
      metrics.requestSeconds.observe({ signal, transport }, seconds);
      if (answer.items !== undefined) metrics.received.inc({ signal, transport }, answer.items);
      if (answer.kind === 'refused') {
        metrics.refused.inc({ signal, transport, reason: answer.reason });
        if (answer.items !== undefined) metrics.refusedItems.inc({ signal, reason: answer.reason }, answer.items);
        if (tenant !== undefined && answer.booked !== true) {
          books.refused(bookedAs(tenant.name, signal, answer, context.clock.wallNs()), answer.reason);
        }
        return;
      }
      metrics.accepted.inc({ signal, transport, tenant: tenantLabel(tenant?.name ?? '') }, answer.acceptedItems);
    },
  };
}

interface Gauged {
  readonly queue: EdgeQueue;
  readonly sinkZone: ZoneGauge;
  readonly flow: FlowFollower;
  readonly directory: TenantDirectory;
  readonly tls: TlsFiles;
}

function collectGauges(metrics: Metrics<typeof EDGE_METRICS>, { queue, sinkZone, flow, directory, tls }: Gauged): void {
  collectWith(metrics.queueBytes, () => metrics.queueBytes.set(queue.budget.bytes));
  collectWith(metrics.queueItems, () => metrics.queueItems.set(queue.budget.items));
  collectWith(metrics.queueFill, () => metrics.queueFill.set(queue.budget.fill));
  collectWith(metrics.queueTenants, () => metrics.queueTenants.set(queue.tenants));
  collectWith(metrics.zone, () => {
    const now = { queue: queue.zone, sinks: sinkZone.observe(flow.current().fill) };
    for (const [of, current] of Object.entries(now)) {
      for (const zone of ZONES) metrics.zone.set({ of, zone }, zone === current ? 1 : 0);
    }
  });
  collectWith(metrics.sinkFill, () => metrics.sinkFill.set(flow.current().fill));
  collectWith(metrics.tenants, () => metrics.tenants.set(directory.size));
  collectWith(metrics.certificateExpiry, () => metrics.certificateExpiry.set(tls.current.expiresS));
}

/** Active series, with a gauge of the tenants that have the most; the rest of them together. */
function createSeries(metrics: Metrics<typeof EDGE_METRICS>, clock: Clock): ActiveSeries {
  const series = new ActiveSeries(clock, randomInt(2 ** 31), { bytesMax: LIMITS.seriesBytesMax });
  collectWith(metrics.activeSeries, () => {
    metrics.activeSeries.reset();
    for (const [at, [tenant, active]] of series.entries().entries()) {
      metrics.activeSeries.inc({ tenant: at < TENANT_LABELS_MAX ? tenant : 'other' }, active);
    }
  });
  collectWith(metrics.seriesBytes, () => metrics.seriesBytes.set(series.bytes));
  return series;
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
