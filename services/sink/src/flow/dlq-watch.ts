import type { Log } from '@weir/delivery';
import { createPeriodic } from '@weir/flow';
import type { Clock, Component } from '@weir/pipeline';
import { CONTROL_TOPICS } from '@weir/records';

const PARTITION = 0;

/** What weir.dlq holds. */
export interface DlqState {
  /** Letters that are there. */
  readonly held: number;
  /** Letters that its caps of bytes and age have let go, of all time. */
  readonly evicted: number;
}

/** Looks at even times how much weir.dlq holds. Offsets start at 0 and each letter has one, so its bounds say all. */
export function createDlqWatch(
  log: Log,
  clock: Clock,
  options: { readonly everyMs: number; readonly onFault: (error: unknown) => void },
  seen: (state: DlqState) => void,
): Component {
  const look = async (signal: AbortSignal) => {
    const { start, end } = await log.bounds(CONTROL_TOPICS.dlq, PARTITION, signal);
    seen({ held: end - start, evicted: start });
  };
  return createPeriodic({ ...options, name: 'dlq watch', clock, look });
}
