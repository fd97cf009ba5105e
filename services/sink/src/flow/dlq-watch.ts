import type { Log } from '@weir/delivery';
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
  const stopping = new AbortController();
  const { signal } = stopping;
  let running: Promise<void> | undefined;
  const run = async (): Promise<void> => {
    while (!signal.aborted) {
      try {
        const { start, end } = await log.bounds(CONTROL_TOPICS.dlq, PARTITION, signal);
        seen({ held: end - start, evicted: start });
      } catch (error) {
        if (!signal.aborted) options.onFault(error);
      }
      await clock.sleep(options.everyMs, signal).catch(() => undefined);
    }
  };
  return {
    name: 'dlq watch',
    start: async () => {
      running = run();
    },
    stop: async () => {
      stopping.abort();
      await running;
    },
  };
}
