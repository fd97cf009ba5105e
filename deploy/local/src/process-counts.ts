/** How many processes of each service a track has. */
export interface ProcessCounts {
  readonly edge: number;
  readonly normalizer: number;
  readonly sink: number;
}

export const ONE_OF_EACH: ProcessCounts = { edge: 1, normalizer: 1, sink: 1 };

/** Of one service on one host. */
export const PROCESSES_MAX = 8;

const PARTITIONS_MIN = 4;

/** Partitions that give every process of a group one at least. */
export function partitionsFor({ normalizer, sink }: ProcessCounts): number {
  return Math.max(PARTITIONS_MIN, normalizer, sink);
}
