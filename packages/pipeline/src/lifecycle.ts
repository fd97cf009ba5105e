import type { Clock } from './clock.ts';
import { DependencyError } from './errors.ts';

/** A part of a service with a life of its own. `stop` is safe twice and before `start`. */
export interface Component {
  readonly name: string;
  /** Resolves when the part can serve. */
  start(signal: AbortSignal): Promise<void>;
  /** Stops taking, finishes what it has until `signal` aborts, then lets go of everything. */
  stop(signal: AbortSignal): Promise<void>;
}

/** Called when a part did not stop in time or failed to. The remaining parts are stopped all the same. */
export type StopFault = (name: string, error: unknown) => void;

/**
 * A chain of parts, given upstream first (as the data flows). Started downstream first, stopped upstream first, each
 * stop under its own deadline. A failing start stops what had started, then throws.
 */
export function createLifecycle(
  parts: readonly Component[],
  options: { clock: Clock; stopDeadlineMs: number; onFault: StopFault },
): Component {
  const started = new Set<Component>();
  const stop = async (signal: AbortSignal): Promise<void> => {
    for (const part of parts) {
      if (!started.delete(part)) continue;
      const deadline = new AbortController();
      const timeout = options.clock
        .sleep(options.stopDeadlineMs, deadline.signal)
        .then(() =>
          Promise.reject(new DependencyError(part.name, 'timeout', 'did not stop in time', { retryable: false })),
        );
      const limit = AbortSignal.any([signal, AbortSignal.timeout(options.stopDeadlineMs)]);
      try {
        await Promise.race([part.stop(limit), timeout]);
      } catch (error) {
        options.onFault(part.name, error);
      } finally {
        timeout.catch(() => undefined);
        deadline.abort();
      }
    }
  };
  return {
    name: 'lifecycle',
    start: async (signal) => {
      for (const part of parts.toReversed()) {
        started.add(part);
        try {
          await part.start(signal);
        } catch (error) {
          await stop(AbortSignal.timeout(options.stopDeadlineMs));
          throw error;
        }
      }
    },
    stop,
  };
}
