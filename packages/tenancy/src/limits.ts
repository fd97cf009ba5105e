import { CONVENTIONS_VERSION, CONVENTIONS_VERSIONS } from '@weir/otlp';
import { z } from 'zod';

const DURATION = /^(\d+(?:\.\d+)?)(ns|us|ms|s|m|h|d)$/;
const DURATION_NS = { ns: 1, us: 1e3, ms: 1e6, s: 1e9, m: 60e9, h: 3_600e9, d: 86_400e9 } as const;

const RATE_MAX = 1e12;
const RETENTION_DAYS_MAX = 36_500;
const PARTITIONS_MAX = 10_000;

const rate = z.strictObject({
  /** Items or bytes a second, sustained. */
  perSecond: z.number().positive().max(RATE_MAX).optional(),
  /** How much may come at once; at least what a second allows. */
  burst: z.number().positive().max(RATE_MAX).optional(),
});

const KIB = 1024;
const ATTRIBUTES_MAX = 1_000_000;
const BYTES_MAX = 1024 ** 3;
const WEIGHT_MIN = 0.001;
const WEIGHT_MAX = 1_000;
const SERIES_MAX = 100_000_000;

const duration = z.string().regex(DURATION, 'must be a duration such as 500ms or 2s');

/** A limit that may be switched off. */
const orNone = <T extends z.ZodType>(limit: T) => z.union([z.literal('none'), limit]);
const bytesLimit = z.int().min(1).max(BYTES_MAX);

/** What a tenant may set; whatever it leaves out comes from the defaults. */
export const limitOverrides = z.strictObject({
  /** Whether `items` and `bytes` hold for all edges together, which share them, or for each edge. */
  scope: z.enum(['global', 'local']).optional(),
  items: rate.optional(),
  bytes: rate.optional(),
  retentionDays: z.int().min(1).max(RETENTION_DAYS_MAX).optional(),
  slowThreshold: duration.optional(),
  /** Of what an item, a resource or a scope has; what is over a limit is rejected. */
  attributes: z
    .strictObject({
      perItem: z.int().min(1).max(ATTRIBUTES_MAX).optional(),
      keyBytes: bytesLimit.optional(),
      valueBytes: bytesLimit.optional(),
    })
    .optional(),
  /** How far the time that an item is stored under may lie before and after its receipt. */
  timeWindow: z.strictObject({ past: orNone(duration).optional(), future: orNone(duration).optional() }).optional(),
  /** A request as it comes, compressed; the edge's own bound holds as well. */
  bodyBytes: orNone(bytesLimit).optional(),
  /** The same, decompressed. */
  requestBytes: orNone(bytesLimit).optional(),
  /** Series of metrics that are seen within an hour; new ones beyond are rejected. */
  activeSeries: orNone(z.int().min(1).max(SERIES_MAX)).optional(),
  /** Share of a full pipe and of the edge's queue, relative to other tenants. */
  weight: z.number().min(WEIGHT_MIN).max(WEIGHT_MAX).optional(),
  /** Partitions of the raw topic that the tenant's exports go to. */
  partitions: z.int().min(1).max(PARTITIONS_MAX).optional(),
  /** Attribute and metric names are brought to this version of the OpenTelemetry semantic conventions. */
  conventions: z
    .strictObject({
      upgradeTo: z.literal(CONVENTIONS_VERSION),
      /** Of what has no schema URL that says it; left out: that stays as it is. */
      assume: z.enum(CONVENTIONS_VERSIONS).optional(),
    })
    .optional(),
});

export type LimitOverrides = z.infer<typeof limitOverrides>;

export interface Rate {
  readonly perSecond: number;
  readonly burst: number;
}

/** The limits that hold for a tenant. */
export interface Limits {
  readonly scope: 'global' | 'local';
  readonly items: Rate;
  readonly bytes: Rate;
  readonly retentionDays: number;
  /** As written, such as `1s`. */
  readonly slowThreshold: string;
  readonly attributes: { readonly perItem: number; readonly keyBytes: number; readonly valueBytes: number };
  /** As written. */
  readonly timeWindow: { readonly past: string; readonly future: string };
  readonly bodyBytes: number | 'none';
  readonly requestBytes: number | 'none';
  readonly activeSeries: number | 'none';
  readonly weight: number;
  /** Undefined: a quarter of the partitions, at least two. */
  readonly partitions?: number | undefined;
  /** Undefined: names stay as they are sent. */
  readonly conventions?: { readonly upgradeTo: string; readonly assume?: string | undefined } | undefined;
}

/** What holds where neither the tenant nor the file's defaults say anything. */
export const BUILT_IN_LIMITS: Limits = {
  scope: 'global',
  items: { perSecond: 100_000, burst: 300_000 },
  bytes: { perSecond: 64 * 1024 ** 2, burst: 192 * 1024 ** 2 },
  retentionDays: 30,
  slowThreshold: '1s',
  // SDKs let a span have 128 and each of its events as many. Keys are what Mimir and Loki allow, and values what Loki
  // allows a line: statements and stack traces fit, which the 2 KiB of Tempo and Mimir would cut.
  attributes: { perItem: 2_048, keyBytes: KIB, valueBytes: 256 * KIB },
  timeWindow: { past: 'none', future: 'none' },
  bodyBytes: 'none',
  requestBytes: 'none',
  // As Mimir.
  activeSeries: 150_000,
  weight: 1,
};

/** Merges deeply: each layer overrides only what it names. A rate without its burst allows three seconds at once. */
export function mergeLimits(base: Limits, ...layers: readonly (LimitOverrides | undefined)[]): Limits {
  let limits = base;
  for (const layer of layers) {
    if (layer === undefined) continue;
    limits = {
      scope: layer.scope ?? limits.scope,
      items: mergeRate(limits.items, layer.items),
      bytes: mergeRate(limits.bytes, layer.bytes),
      retentionDays: layer.retentionDays ?? limits.retentionDays,
      slowThreshold: layer.slowThreshold ?? limits.slowThreshold,
      attributes: overlaid(limits.attributes, layer.attributes),
      timeWindow: overlaid(limits.timeWindow, layer.timeWindow),
      bodyBytes: layer.bodyBytes ?? limits.bodyBytes,
      requestBytes: layer.requestBytes ?? limits.requestBytes,
      activeSeries: layer.activeSeries ?? limits.activeSeries,
      weight: layer.weight ?? limits.weight,
      partitions: layer.partitions ?? limits.partitions,
      conventions: layer.conventions ?? limits.conventions,
    };
  }
  return limits;
}

function overlaid<T extends object>(base: T, layer: { readonly [K in keyof T]?: T[K] | undefined } | undefined): T {
  if (layer === undefined) return base;
  const named = Object.entries(layer).filter(([, value]) => value !== undefined);
  return { ...base, ...Object.fromEntries(named) };
}

const BURST_SECONDS = 3;

function mergeRate(
  base: Rate,
  layer: { perSecond?: number | undefined; burst?: number | undefined } | undefined,
): Rate {
  if (layer === undefined) return base;
  const perSecond = layer.perSecond ?? base.perSecond;
  const burst = layer.burst ?? (layer.perSecond === undefined ? base.burst : perSecond * BURST_SECONDS);
  return { perSecond, burst: Math.max(burst, perSecond) };
}

/** A limit as a number; without one, more than anything. */
export function limitOf(limit: number | 'none'): number {
  return limit === 'none' ? Number.POSITIVE_INFINITY : limit;
}

/** `500ms` in nanoseconds; endless where it is no duration, such as `none`. */
export function durationNs(text: string): number {
  const match = DURATION.exec(text);
  if (match === null) return Number.POSITIVE_INFINITY;
  return Number(match[1]) * DURATION_NS[match[2] as keyof typeof DURATION_NS];
}
