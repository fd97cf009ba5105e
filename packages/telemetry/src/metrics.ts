import { Counter, Gauge, Histogram, type Registry } from 'prom-client';

/** One metric, declared. The docs' page is generated from tables of these. */
export interface MetricDeclaration {
  readonly type: 'counter' | 'gauge' | 'histogram';
  /** `weir_<service>_<what>_<unit>[_total]`. */
  readonly name: string;
  readonly help: string;
  /** Values come from closed sets; a tenant label is bounded by {@link createTopLabels}. */
  readonly labels: readonly string[];
  /** Upper bounds; histograms only. */
  readonly buckets?: readonly number[];
}

export type MetricTable = Readonly<Record<string, MetricDeclaration>>;

type MetricOf<D extends MetricDeclaration> = D['type'] extends 'counter'
  ? Counter<D['labels'][number]>
  : D['type'] extends 'gauge'
    ? Gauge<D['labels'][number]>
    : Histogram<D['labels'][number]>;

export type Metrics<T extends MetricTable> = { readonly [K in keyof T]: MetricOf<T[K]> };

/** Latency bounds in seconds that fit produce, insert and request times alike. */
export const LATENCY_BUCKETS_S = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30] as const;

/** Registers every metric of a table. */
export function createMetrics<const T extends MetricTable>(table: T, registry: Registry): Metrics<T> {
  const made = Object.entries(table).map(([key, declaration]) => [key, createMetric(declaration, registry)]);
  return Object.fromEntries(made) as Metrics<T>;
}

function createMetric(declaration: MetricDeclaration, registry: Registry): Counter | Gauge | Histogram {
  const { name, help } = declaration;
  const base = { name, help, labelNames: [...declaration.labels], registers: [registry] };
  if (declaration.type === 'counter') return new Counter(base);
  if (declaration.type === 'gauge') return new Gauge(base);
  return new Histogram({ ...base, buckets: [...(declaration.buckets ?? LATENCY_BUCKETS_S)] });
}

/**
 * Bounds a label with an open set of values: the first `max` values keep their name, the rest are `other`.
 * The set never grows past `max`, so a million tenants are `max + 1` series.
 */
export function createTopLabels(max: number): (value: string) => string {
  const known = new Set<string>();
  return (value) => {
    if (known.has(value)) return value;
    if (known.size >= max) return 'other';
    known.add(value);
    return value;
  };
}

/** Has a gauge brought up to date whenever the metrics are read. */
export function collectWith(gauge: Gauge<string>, update: () => void): void {
  (gauge as unknown as { collect: () => void }).collect = update;
}
