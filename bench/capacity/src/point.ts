import type { LoadSignal, LoadTransport, Percentiles } from '@weir/bench-load';
import type { ProcessCounts } from '@weir/local';

/** The stack that a point is measured on. */
export interface StackSpec {
  readonly partitions: number;
  readonly counts: ProcessCounts;
  /** That there are, beside the probes'. */
  readonly tenants: number;
  /** Settings of the services beside their defaults. */
  readonly env?: Readonly<Record<string, string>>;
}

/** The load of a point, open loop. */
export interface LoadSpec {
  /** Items a second. */
  readonly rate: number;
  readonly signal: LoadSignal;
  readonly seconds: number;
  readonly itemsPerExport: number;
  /** Of an item. */
  readonly attributes: number;
  readonly transport: LoadTransport;
  /** That send, each the same. */
  readonly tenants: number;
  /**
   * Sent to the edge itself, while normalizers and sinks stand still: what a durable answer alone bears. They go on afterwards, and
   * what was accepted is looked for as ever.
   */
  readonly answersOnly?: true;
}

export const PROCESSES = ['envoy', 'edge', 'normalizer', 'sink', 'kafka', 'clickhouse'] as const;

/** Processes of one kind together. */
export type ProcessKind = (typeof PROCESSES)[number];

/** Bytes in the topics. */
export interface TopicBytes {
  readonly raw: number;
  readonly rows: number;
}

/** What a point showed. */
export interface PointResult {
  readonly name: string;
  readonly round: number;
  readonly commit: string;
  /** Model of the CPU that it was measured on. */
  readonly cpu: string;
  readonly stack: StackSpec;
  readonly load: LoadSpec;
  /** For how long its stack had been loaded before: what is not compiled yet costs more. Left out by points from before it was noted. */
  readonly loadedBeforeS?: number;
  readonly acceptedPerS: number;
  /** Of all items that were due, those that were acknowledged, 0 to 1. */
  readonly acceptedShare: number;
  /** Items by reason of what was not accepted. */
  readonly reasons: Readonly<Record<string, number>>;
  /** From when exports were due to their answers. */
  readonly answerMs: Percentiles;
  /** What the generator was late with sending, 99th percentile. */
  readonly lateMs: number;
  /** From the answer until it could be queried. */
  readonly queryableMs: Percentiles;
  readonly probes: number;
  /** From the end of the load until all that was accepted could be queried. */
  readonly recoveryS: number;
  readonly accepted: number;
  readonly lost: number;
  readonly doubled: number;
  /** CPU seconds for a million accepted items; ClickHouse's with the merges that follow. */
  readonly cpuS: Readonly<Record<ProcessKind, number>>;
  /** Of an item: in each topic, and on ClickHouse's disk once it is merged. */
  readonly bytes: TopicBytes & { readonly clickhouse: number };
  /** Of the generator, likewise: it runs on the same machine. */
  readonly generatorCpuS: number;
  /** The most that one process of a kind held, MiB. */
  readonly rssMiB: Readonly<Record<ProcessKind, number>>;
}

/** What a rate must meet to count as sustained. */
export interface Goal {
  readonly answerP99Ms: number;
  readonly queryableP95Ms: number;
}

const ACCEPTED_MIN = 0.999;

/** Whether all was answered in time, could be queried in time, and was stored once. */
export function isSustained(point: PointResult, goal: Goal): boolean {
  const { load, acceptedShare, answerMs, queryableMs, probes, lost, doubled } = point;
  const queryable = load.answersOnly === true || (probes > 0 && queryableMs.p95 <= goal.queryableP95Ms);
  return (
    acceptedShare >= ACCEPTED_MIN &&
    answerMs.max > 0 &&
    answerMs.p99 <= goal.answerP99Ms &&
    queryable &&
    lost === 0 &&
    doubled === 0
  );
}
