/** Time as stages see it, injected so that tests can move it. */
export interface Clock {
  /** Monotonic milliseconds; for limits, ages and time-outs. */
  nowMs(): number;
  /** Wall-clock nanoseconds since the epoch; for records only. */
  wallNs(): bigint;
  /** Resolves after `ms`, or rejects with the signal's reason as soon as it aborts. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

/** The machine's clock. */
export const systemClock: Clock = {
  nowMs: () => performance.now(),
  wallNs: () => BigInt(Date.now()) * 1_000_000n,
  sleep: (ms, signal) =>
    new Promise((resolve, reject) => {
      if (signal?.aborted) {
        reject(signal.reason);
        return;
      }
      const onAbort = () => {
        clearTimeout(timer);
        reject(signal?.reason);
      };
      const timer = setTimeout(() => {
        signal?.removeEventListener('abort', onAbort);
        resolve();
      }, ms);
      signal?.addEventListener('abort', onAbort, { once: true });
    }),
};

/** The same clock, telling when it is used: who looks at the time or waits for the next try is alive. */
export function heardClock(clock: Clock, onUse: () => void): Clock {
  return {
    nowMs: () => {
      onUse();
      return clock.nowMs();
    },
    wallNs: () => clock.wallNs(),
    sleep: (ms, signal) => {
      onUse();
      return clock.sleep(ms, signal);
    },
  };
}
