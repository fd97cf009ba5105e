import { randomInt } from 'node:crypto';
import { type Clock, InvariantError, ZONES, type ZoneGauge } from '@weir/pipeline';
import { collectCertificateEnds, type KafkaAccess, type ServiceContext } from '@weir/process';
import { FLOW_ROLES } from '@weir/records';
import { collectWith, createTopLabels, type Metrics } from '@weir/telemetry';
import { ActiveSeries, type TenantDirectory } from '@weir/tenancy';
import type { EdgeQueue } from './edge-queue.ts';
import type { Demand } from './flow/demand.ts';
import type { PipeState } from './flow/pipe-state.ts';
import { LIMITS } from './limits.ts';
import type { EDGE_METRICS } from './metrics.ts';
import { type Books, bookedAs } from './publish/books.ts';
import type { Publisher } from './publish/publisher.ts';
import type { ReceiverEvents } from './receive/receiver.ts';
import type { TlsFiles } from './receive/tls-files.ts';

const TENANT_LABELS_MAX = 50;

/** What is counted, told to the books and to the demand of each request and its answer. */
export function receiverEvents(
  metrics: Metrics<typeof EDGE_METRICS>,
  books: Books,
  demand: Demand,
  context: ServiceContext,
): ReceiverEvents {
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
      if (seconds !== undefined) metrics.requestSeconds.observe({ signal, transport }, seconds);
      const { items = 0, bytes = 0 } = answer.unread ?? answer;
      if (tenant !== undefined && items > 0) demand.meter.add(tenant.name, items, bytes, answer.kind === 'accepted');
      if (answer.items !== undefined) metrics.received.inc({ signal, transport }, answer.items);
      if (answer.kind === 'refused') {
        metrics.refused.inc({ signal, transport, reason: answer.reason });
        if (answer.unread !== undefined) metrics.unread.inc({ signal, reason: answer.reason });
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

/** What the gauges look at when they are asked. */
export interface Gauged {
  readonly queue: EdgeQueue;
  readonly publish: Pick<Publisher, 'lostEnds'>;
  readonly pipeZone: ZoneGauge;
  readonly pipe: PipeState;
  readonly demand: Demand;
  readonly directory: TenantDirectory;
  readonly tls: TlsFiles;
  readonly kafka: Pick<KafkaAccess, 'tls'>;
  readonly clock: Clock;
}

/** Gauges of what the parts hold, worked out when they are asked for. */
export function collectGauges(
  metrics: Metrics<typeof EDGE_METRICS>,
  { queue, publish, pipeZone, pipe, demand, directory, tls, kafka, clock }: Gauged,
): void {
  collectWith(metrics.queueBytes, () => metrics.queueBytes.set(queue.budget.bytes));
  collectWith(metrics.queueItems, () => metrics.queueItems.set(queue.budget.items));
  collectWith(metrics.queueFill, () => metrics.queueFill.set(queue.budget.fill));
  collectWith(metrics.queueTenants, () => metrics.queueTenants.set(queue.tenants));
  collectWith(metrics.lostEnds, () => metrics.lostEnds.set(publish.lostEnds));
  collectWith(metrics.zone, () => {
    const now = { queue: queue.zone, pipe: pipeZone.observe(pipe.current().fill) };
    for (const [of, current] of Object.entries(now)) {
      for (const zone of ZONES) metrics.zone.set({ of, zone }, zone === current ? 1 : 0);
    }
  });
  collectWith(metrics.pipeFill, () => metrics.pipeFill.set(pipe.current().fill));
  collectWith(metrics.flowReports, () => {
    for (const role of FLOW_ROLES) metrics.flowReports.set({ role }, pipe.reporters(role));
  });
  collectWith(metrics.liveEdges, () => metrics.liveEdges.set(demand.edges));
  collectWith(metrics.fairLimited, () => metrics.fairLimited.set(demand.limited));
  collectWith(metrics.tenants, () => metrics.tenants.set(directory.size));
  collectCertificateEnds(metrics.clientCertificateExpiry, { kafka: kafka.tls }, clock);
  collectWith(metrics.certificateExpiry, () => metrics.certificateExpiry.set(tls.current.expiresS));
}

/** Active series, with a gauge of the tenants that have the most; the rest of them together. */
export function createSeries(metrics: Metrics<typeof EDGE_METRICS>, clock: Clock): ActiveSeries {
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
