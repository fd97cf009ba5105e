import type { LoadSignal, Sender, Sent } from '@weir/bench-load';
import { build, type Histogram } from 'hdr-histogram-js';
import type { ReadyExport } from './export-pool.ts';

/** A refusal that a client sends again after, as SDKs do. */
const RETRYABLE = new Set(['HTTP 429', 'HTTP 502', 'HTTP 503', 'HTTP 504', 'gRPC 8']);
/** What Weir asks for at least; a peer that says nothing gets the same. */
const RETRY_MS = 1_000;
const LATENCY_US_MAX = 120_000_000;

/** Exports of which the client knows no good answer: items [first, first + items). */
export interface Unanswered {
  readonly first: number;
  readonly items: number;
  readonly reason: string;
}

/** How a load was answered. */
export interface LoopResult {
  /** From the first export's sending to the last one's answer. */
  readonly seconds: number;
  /** `Date.now()` when the first was sent. */
  readonly startedAtMs: number;
  readonly sentItems: number;
  readonly acceptedItems: number;
  /** Exports that were refused and sent again. */
  readonly retries: number;
  readonly notAccepted: readonly Unanswered[];
  /** Of the exports that were accepted, each from its last sending. */
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
}

export interface LoopOptions {
  readonly signal: LoadSignal;
  readonly key: string;
  /** Exports under way at once; the next is sent when one is answered. */
  readonly inFlight: number;
  /** Sends again what was refused for now. */
  readonly retries: boolean;
  /** Ends at the first export that is not accepted, for loads in which the other side is killed. */
  readonly endsEarly: boolean;
  /** Called when half of the exports were accepted. */
  readonly onHalf?: () => void;
  readonly sleep: (ms: number) => Promise<unknown>;
}

/** Sends the pool with a fixed number of exports under way. What has no answer is never sent twice. */
export async function runClosedLoop(
  pool: readonly ReadyExport[],
  sender: Sender,
  options: LoopOptions,
): Promise<LoopResult> {
  const latency: Histogram = build({ highestTrackableValue: LATENCY_US_MAX, numberOfSignificantValueDigits: 3 });
  const notAccepted: Unanswered[] = [];
  const half = Math.ceil(pool.length / 2);
  let [next, accepted, acceptedItems, sentItems, retries] = [0, 0, 0, 0, 0];
  let ended = false;
  const send = async ({ body, first, items }: ReadyExport): Promise<void> => {
    sentItems += items;
    for (;;) {
      const startedMs = performance.now();
      const sent = await sender.send(options.signal, body, options.key);
      if (sent.kind === 'accepted') {
        latency.recordValue(Math.min(LATENCY_US_MAX, Math.round((performance.now() - startedMs) * 1_000)));
        acceptedItems += items;
        if (++accepted === half) options.onHalf?.();
        return;
      }
      if (!options.retries || !isRetryable(sent)) {
        notAccepted.push({ first, items, reason: sent.reason });
        ended ||= options.endsEarly;
        return;
      }
      retries++;
      await options.sleep(RETRY_MS);
    }
  };
  const work = async (): Promise<void> => {
    while (next < pool.length && !ended) await send(pool[next++]!);
  };
  const startedAtMs = Date.now();
  const startedMs = performance.now();
  await Promise.all(Array.from({ length: options.inFlight }, work));
  const seconds = (performance.now() - startedMs) / 1_000;
  const at = (percentile: number) => latency.getValueAtPercentile(percentile) / 1_000;
  const answers = { p50Ms: at(50), p99Ms: at(99), maxMs: at(100) };
  return { seconds, startedAtMs, sentItems, acceptedItems, retries, notAccepted, ...answers };
}

function isRetryable(sent: Exclude<Sent, { readonly kind: 'accepted' }>): boolean {
  return sent.kind === 'refused' && RETRYABLE.has(sent.reason);
}
