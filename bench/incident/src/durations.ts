import { createSender, type Sender, type Target } from '@weir/bench-load';
import { encodeExport, pause } from '@weir/testkit';

/** The tables that durations go to, and what is read of their rows. */
export const DURATION_TABLES = {
  otel_metrics_gauge: '[Value]',
  otel_metrics_sum: '[Value]',
  otel_metrics_histogram: 'arrayConcat([Sum, Min, Max], ExplicitBounds)',
} as const;

export type DurationTable = keyof typeof DURATION_TABLES;

/** All metrics of {@link sendDurations} begin so. */
export const METRIC_PREFIX = 'incident.';

/** A data point as it was sent, in milliseconds. */
export interface SentPoint {
  readonly tenant: string;
  readonly table: DurationTable;
  readonly timeNs: bigint;
  readonly valuesMs: readonly number[];
}

/** What was sent, by {@link pointKey}, and how often it was answered otherwise than with success. */
export interface DurationJournal {
  readonly points: Map<string, SentPoint>;
  readonly refused: Map<string, number>;
}

export interface DurationOptions {
  readonly target: Target;
  readonly tenants: readonly { readonly name: string; readonly key: string }[];
  /** Data points a second of all tenants. */
  readonly rate: number;
}

const PER_TABLE = 4;
const PER_EXPORT = 3 * PER_TABLE;
/** Values are spread over as many steps of a quarter of a millisecond, each next one far from the last. */
const VALUES = 4_000;
const VALUE_STEP = 1_597;
const BOUNDS_MS = [10, 100, 1_000];
const DRAIN_MS = 30_000;

/** Tells a data point: no two of a tenant and table have the same time. */
export function pointKey({ tenant, table, timeNs }: Pick<SentPoint, 'tenant' | 'table' | 'timeNs'>): string {
  return `${tenant} ${table} ${timeNs}`;
}

/** Sends durations in `ms`, as gauges, sums and histograms, at a rate and until the signal; what was accepted stands in the journal. */
export async function sendDurations(
  { target, tenants, rate }: DurationOptions,
  journal: DurationJournal,
  signal: AbortSignal,
): Promise<void> {
  const senders = (['http', 'grpc'] as const).map((transport) =>
    createSender(target, transport, { compression: 'none', connections: 1 }),
  );
  const intervalMs = (PER_EXPORT * tenants.length * 1_000) / rate;
  const flying = new Set<Promise<void>>();
  await Promise.all(
    tenants.map(async ({ name, key }, number) => {
      const maker = new DurationMaker(name);
      const startedMs = performance.now() + (number / tenants.length) * intervalMs;
      for (let exports = 0; !signal.aborted; exports++) {
        await pause(Math.max(0, startedMs + exports * intervalMs - performance.now()));
        const flight = send(senders[exports % senders.length]!, maker, key, journal);
        flying.add(flight);
        void flight.finally(() => flying.delete(flight));
      }
    }),
  );
  await Promise.race([Promise.all(flying), pause(DRAIN_MS)]);
  await Promise.all(senders.map((sender) => sender.close()));
}

async function send(sender: Sender, maker: DurationMaker, key: string, journal: DurationJournal): Promise<void> {
  const { body, points } = maker.make();
  const sent = await sender.send('metrics', body, key);
  if (sent.kind === 'accepted') for (const point of points) journal.points.set(pointKey(point), point);
  else journal.refused.set(sent.reason, (journal.refused.get(sent.reason) ?? 0) + points.length);
}

/** Makes the exports of one tenant. */
class DurationMaker {
  readonly #tenant: string;
  #number = 0;
  #lastNs = 0n;

  constructor(tenant: string) {
    this.#tenant = tenant;
  }

  make(): { readonly body: Buffer; readonly points: readonly SentPoint[] } {
    const points: SentPoint[] = [];
    const made = (table: DurationTable, valuesOf: (value: number) => number[]) =>
      Array.from({ length: PER_TABLE }, () => {
        const value = 100 + ((this.#number++ * VALUE_STEP) % VALUES) / 4;
        const point = { tenant: this.#tenant, table, timeNs: this.#time(), valuesMs: valuesOf(value) };
        points.push(point);
        return point;
      });
    const number = ({ timeNs, valuesMs }: SentPoint) => ({
      timeUnixNano: timeNs,
      value: { case: 'asDouble' as const, value: valuesMs[0]! },
    });
    const gauges = made('otel_metrics_gauge', (value) => [value]).map(number);
    const sums = made('otel_metrics_sum', (value) => [value * 3]).map(number);
    const histograms = made('otel_metrics_histogram', (value) => [value * 4, value / 2, value * 2, ...BOUNDS_MS]);
    const metrics = [
      metric('queue.wait', { case: 'gauge', value: { dataPoints: gauges } }),
      metric('work.time', { case: 'sum', value: { dataPoints: sums, aggregationTemporality: 1 } }),
      metric('request.duration', {
        case: 'histogram',
        value: {
          aggregationTemporality: 1,
          dataPoints: histograms.map(({ timeNs, valuesMs: [sum, min, max] }) => ({
            timeUnixNano: timeNs,
            count: 4n,
            sum: sum!,
            min: min!,
            max: max!,
            explicitBounds: BOUNDS_MS,
            bucketCounts: [1n, 1n, 1n, 1n],
          })),
        },
      }),
    ];
    const body = encodeExport('metrics', { resourceMetrics: [{ scopeMetrics: [{ metrics }] }] });
    return { body: Buffer.from(body), points };
  }

  /** Later than the one before. */
  #time(): bigint {
    const nowNs = BigInt(Date.now()) * 1_000_000n;
    this.#lastNs = nowNs > this.#lastNs ? nowNs : this.#lastNs + 1n;
    return this.#lastNs;
  }
}

type MetricInit = NonNullable<
  NonNullable<
    NonNullable<Parameters<typeof encodeExport<'metrics'>>[1]['resourceMetrics']>[number]['scopeMetrics']
  >[number]['metrics']
>[number];

function metric(name: string, data: MetricInit['data']): MetricInit {
  return { name: `${METRIC_PREFIX}${name}`, unit: 'ms', data } as MetricInit;
}
