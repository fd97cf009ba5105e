import { type Clock, DependencyError } from '@weir/pipeline';
import type { Log, NewRecord } from './log.ts';

const RETRY_MS = 200;

/** Appends the same records until that is acknowledged, or the signal aborts. Returns the offset of the first. */
export async function appendUntilAcked(
  log: Log,
  clock: Clock,
  topic: string,
  partition: number,
  records: readonly NewRecord[],
  signal: AbortSignal,
): Promise<number> {
  for (;;) {
    try {
      return await log.append(topic, partition, records, signal);
    } catch (error) {
      if (!(error instanceof DependencyError) || !error.retryable) throw error;
      await clock.sleep(RETRY_MS, signal);
    }
  }
}
