import { randomBytes } from 'node:crypto';
import { build, type Histogram } from 'hdr-histogram-js';
import { JsonPayloadMaker } from './json-maker.ts';
import { type LoadSignal, type Payload, PayloadMaker } from './payload.ts';
import { createRandom } from './random.ts';
import { compress, createSender } from './sender.ts';
import type { LoadTransport, Sender, Sent, Target } from './sent.ts';

/** What a load is made of. */
export interface LoadOptions {
  readonly target: Target;
  /** Key and weight of each tenant; producers are given out by weight. The name is '' where it is not known. */
  readonly tenants: readonly { readonly name: string; readonly key: string; readonly weight: number }[];
  readonly producers: number;
  /** Items a second of each producer. */
  readonly rate: number;
  readonly seconds: number;
  readonly itemsPerExport: number;
  readonly transports: readonly LoadTransport[];
  readonly signals: readonly LoadSignal[];
  /** Share of items with an error, 0 to 1. */
  readonly errors: number;
  readonly gzip: boolean;
  readonly connections: number;
  /** Exports under way at once; what is due beyond is counted as not sent. */
  readonly outstandingMax: number;
  /** Names the run in every item's id; random where it is left out. */
  readonly run?: string;
  /** Makes trace ids and errors the same in every run that has it. */
  readonly seed?: string;
  /** Attributes of an item, its id among them: 8 where it is left out. Of protobuf alone. */
  readonly attributes?: number;
  /**
   * So many exports of each producer are made, and compressed, beforehand and then sent again and again: their ids repeat, and their
   * times stand still. Where it is left out each export is made when it is due.
   */
  readonly ready?: number;
  /** OTLP/HTTP without a general client, for many small exports: see `lean-http.ts`. Not where exports are compressed when they are due. */
  readonly lean?: boolean;
  /** What was due before is not in the latencies, nor in what was not sent: connections are opened then. */
  readonly settleSeconds?: number;
  /** The time of an item, ms since the epoch; the machine's clock where it is left out. */
  readonly timeMs?: () => number;
}

/** One export's fate, for a journal: items [first, first + items) of the producer. */
export interface Fate {
  readonly producer: number;
  readonly tenant: string;
  readonly signal: LoadSignal;
  readonly first: number;
  readonly items: number;
  readonly sent: Sent;
}

/** What has happened so far. */
export interface LoadTotals {
  sentItems: number;
  acceptedItems: number;
  refusedItems: number;
  unknownItems: number;
  /** Due, but too many were under way. */
  unsentItems: number;
  outstanding: number;
  /** Items by reason of what was not accepted. */
  readonly reasons: Map<string, number>;
  /** Microseconds from when an export was due to its answer. */
  readonly latency: Histogram;
  /** Microseconds from when an export was due to when it was sent: what the generator itself is late. */
  readonly lateness: Histogram;
}

export interface LoadResult {
  readonly run: string;
  readonly seconds: number;
  readonly totals: LoadTotals;
}

/** Hooks of a load: every export before it is sent, its fate, and the totals as they stand. */
export interface LoadHooks {
  /** With the totals, which change as it runs. */
  readonly onStart?: (totals: LoadTotals) => void;
  readonly onSend?: (attempt: Omit<Fate, 'sent'>) => void;
  readonly onFate?: (fate: Fate) => void;
  readonly onProgress?: (totals: LoadTotals, seconds: number) => void;
  readonly signal?: AbortSignal;
}

const TICK_MS = 1;
const PROGRESS_MS = 500;
const LATENCY_US_MAX = 60_000_000;

interface Producer {
  readonly number: number;
  readonly tenant: LoadOptions['tenants'][number];
  readonly signal: LoadSignal;
  readonly sender: Sender;
  readonly maker: { make(items: number): Payload };
  /** When its next export is due, ms since the start. */
  dueMs: number;
}

/**
 * Open loop: exports leave when they are due, whatever became of the earlier ones, so that a slow pipe shows in the
 * latencies instead of in a lower rate. Producers start staggered over their own interval.
 */
export async function runLoad(options: LoadOptions, hooks: LoadHooks = {}): Promise<LoadResult> {
  const run = options.run ?? randomBytes(4).toString('hex');
  const compression = isReadyCompressed(options) ? 'is-gzip' : options.gzip ? 'gzip' : 'none';
  const { connections } = options;
  const senders = options.transports.map((transport) =>
    createSender(options.target, transport, { compression, connections, lean: options.lean === true }),
  );
  const producers = createProducers(options, run, senders);
  const totals = createTotals();
  hooks.onStart?.(totals);
  const intervalMs = (options.itemsPerExport / options.rate) * 1_000;
  const flying = new Set<Promise<void>>();
  const startedMs = performance.now();
  const endMs = options.seconds * 1_000;
  const settleMs = (options.settleSeconds ?? 0) * 1_000;
  let progressMs = PROGRESS_MS;
  for (;;) {
    const elapsedMs = performance.now() - startedMs;
    if (hooks.signal?.aborted === true) break;
    for (const producer of producers) {
      // What was due before the end is sent though we come late.
      while (producer.dueMs <= elapsedMs && producer.dueMs < endMs) {
        const dueMs = startedMs + producer.dueMs;
        producer.dueMs += intervalMs;
        if (totals.outstanding >= options.outstandingMax) {
          if (dueMs >= startedMs + settleMs) totals.unsentItems += options.itemsPerExport;
        } else {
          const flight = fly(producer, dueMs, startedMs + settleMs, { options, totals, hooks });
          flying.add(flight);
          void flight.finally(() => flying.delete(flight));
        }
      }
    }
    if (elapsedMs >= endMs) break;
    if (elapsedMs >= progressMs) {
      progressMs = elapsedMs + PROGRESS_MS;
      hooks.onProgress?.(totals, elapsedMs / 1_000);
    }
    await new Promise((resolve) => setTimeout(resolve, TICK_MS));
  }
  const seconds = (performance.now() - startedMs) / 1_000;
  await Promise.all(flying);
  await Promise.all(senders.map((sender) => sender.close()));
  hooks.onProgress?.(totals, seconds);
  return { run, seconds, totals };
}

interface Flights {
  readonly options: LoadOptions;
  readonly totals: LoadTotals;
  readonly hooks: LoadHooks;
}

/** Its latency counts from when it was due: what is sent late, because the generator or the pipe was slow, was waited for too. */
async function fly(
  producer: Producer,
  dueMs: number,
  recordedFromMs: number,
  { options, totals, hooks }: Flights,
): Promise<void> {
  const { body, items, first } = producer.maker.make(options.itemsPerExport);
  totals.sentItems += items;
  totals.outstanding++;
  const { number, tenant, signal } = producer;
  const attempt = { producer: number, tenant: tenant.name, signal, first, items };
  hooks.onSend?.(attempt);
  const recorded = dueMs >= recordedFromMs;
  if (recorded) record(totals.lateness, dueMs);
  const sent = await producer.sender.send(producer.signal, body, producer.tenant.key);
  totals.outstanding--;
  if (recorded) record(totals.latency, dueMs);
  if (sent.kind === 'accepted') totals.acceptedItems += items;
  else {
    if (sent.kind === 'refused') totals.refusedItems += items;
    else totals.unknownItems += items;
    totals.reasons.set(sent.reason, (totals.reasons.get(sent.reason) ?? 0) + items);
  }
  hooks.onFate?.({ ...attempt, sent });
}

/** The time since `fromMs`. */
function record(histogram: Histogram, fromMs: number): void {
  const us = Math.round((performance.now() - fromMs) * 1_000);
  histogram.recordValue(Math.min(LATENCY_US_MAX, Math.max(1, us)));
}

/** Whether bodies are compressed beforehand: gRPC takes them as they are. */
function isReadyCompressed({ gzip, ready, transports }: LoadOptions): boolean {
  return gzip && ready !== undefined && !transports.includes('grpc');
}

/** Exports made beforehand, in turn. */
function readyMaker(maker: Producer['maker'], count: number, options: LoadOptions): Producer['maker'] {
  const made = Array.from({ length: count }, () => {
    const payload = maker.make(options.itemsPerExport);
    return isReadyCompressed(options) ? { ...payload, body: compress(payload.body) } : payload;
  });
  let next = 0;
  return { make: () => made[next++ % count]! };
}

function createProducers(options: LoadOptions, run: string, senders: readonly Sender[]): Producer[] {
  const weights = options.tenants.map(({ weight }) => weight);
  const sum = weights.reduce((total, weight) => total + weight, 0);
  const intervalMs = (options.itemsPerExport / options.rate) * 1_000;
  return Array.from({ length: options.producers }, (_, number) => {
    let share = ((number + 0.5) / options.producers) * sum;
    const tenant =
      options.tenants.find(({ weight }) => {
        share -= weight;
        return share < 0;
      }) ?? options.tenants[0]!;
    const transport = options.transports[number % options.transports.length]!;
    // The signal turns once all transports had a turn, so that every pair occurs.
    const signal = options.signals[Math.floor(number / options.transports.length) % options.signals.length]!;
    const random = createRandom(options.seed, String(number));
    const { errors, timeMs, attributes, ready } = options;
    const maker =
      transport === 'http-json'
        ? new JsonPayloadMaker(signal, run, number, errors, random, timeMs)
        : new PayloadMaker(signal, run, number, errors, random, timeMs, { attributes });
    return {
      number,
      tenant,
      signal,
      sender: senders[number % senders.length]!,
      maker: ready === undefined ? maker : readyMaker(maker, ready, options),
      dueMs: (number / options.producers) * intervalMs,
    };
  });
}

function times(): Histogram {
  return build({
    lowestDiscernibleValue: 1,
    highestTrackableValue: LATENCY_US_MAX,
    numberOfSignificantValueDigits: 3,
  });
}

function createTotals(): LoadTotals {
  return {
    sentItems: 0,
    acceptedItems: 0,
    refusedItems: 0,
    unknownItems: 0,
    unsentItems: 0,
    outstanding: 0,
    reasons: new Map(),
    latency: times(),
    lateness: times(),
  };
}
