import { availableParallelism, cpus, totalmem } from 'node:os';

/** Where a benchmark was run. */
export interface Machine {
  readonly cores: number;
  /** Its model. */
  readonly cpu: string;
  readonly memoryGiB: number;
}

/** This one. */
export function machine(): Machine {
  return {
    cores: availableParallelism(),
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    memoryGiB: Math.round(totalmem() / 1024 ** 3),
  };
}
