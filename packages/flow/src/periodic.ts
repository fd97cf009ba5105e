import type { Clock, Component } from '@weir/pipeline';

/** What is done again and again. */
export interface PeriodicParts {
  readonly name: string;
  readonly clock: Clock;
  /** From the end of one time to the begin of the next. */
  readonly everyMs: number;
  readonly look: (signal: AbortSignal) => Promise<void>;
  /** Told of each time that failed; none is told once it is being stopped. */
  readonly onFault: (error: unknown) => void;
}

/** Looks at something at even times, at once first, until it is stopped; a time that fails does not end it. */
export function createPeriodic({ name, clock, everyMs, look, onFault }: PeriodicParts): Component {
  const stopping = new AbortController();
  const { signal } = stopping;
  let running: Promise<void> | undefined;
  const run = async (): Promise<void> => {
    while (!signal.aborted) {
      try {
        await look(signal);
      } catch (error) {
        if (!signal.aborted) onFault(error);
      }
      await clock.sleep(everyMs, signal).catch(() => undefined);
    }
  };
  return {
    name,
    start: async () => {
      running = run();
    },
    stop: async () => {
      stopping.abort();
      await running;
    },
  };
}
