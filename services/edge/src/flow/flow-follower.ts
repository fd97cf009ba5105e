import type { Log } from '@weir/delivery';
import { type Clock, type Component, ZONE_BOUNDS } from '@weir/pipeline';
import { CONTROL_TOPICS, decodeFlowReport } from '@weir/records';
import type { SinkFill } from '../exports.ts';
import { LIMITS } from '../limits.ts';

const PARTITION = 0;
const READ = { maxBytes: 1024 ** 2, maxWaitMs: 500 };
const RETRY_MS = 500;

interface Seen {
  readonly fill: number;
  readonly seconds: number | null;
  /** Our monotonic clock when the report came: the reporter's clock may be wrong. */
  readonly atMs: number;
}

/**
 * Follows what the sinks of a track report on weir.flow. A report counts while it is fresh by our own clock; a sink that
 * falls silent, or reports that are lost, never keep exports out for longer than that.
 */
export class FlowFollower implements Component {
  readonly name = 'flow';
  readonly #log: Log;
  readonly #clock: Clock;
  readonly #track: string;
  readonly #onFault: (error: unknown) => void;
  readonly #reports = new Map<string, Seen>();
  readonly #stopping = new AbortController();
  #running: Promise<void> | undefined;

  constructor(log: Log, clock: Clock, track: string, onFault: (error: unknown) => void) {
    this.#log = log;
    this.#clock = clock;
    this.#track = track;
    this.#onFault = onFault;
  }

  /** The fullest of the fresh reports. */
  current(): SinkFill {
    const oldestMs = this.#clock.nowMs() - LIMITS.flowFreshMs;
    let fill = 0;
    let retryAfterS = 1;
    for (const [reporter, seen] of this.#reports) {
      if (seen.atMs < oldestMs) {
        this.#reports.delete(reporter);
        continue;
      }
      if (seen.fill <= fill) continue;
      fill = seen.fill;
      // The time until the backlog is back at nine tenths of its bound, at the measured rate.
      const over = seen.seconds === null ? 2 : seen.seconds * Math.max(0, 1 - ZONE_BOUNDS.priority.from / seen.fill);
      retryAfterS = Math.max(1, Math.ceil(over));
    }
    return { fill, retryAfterS };
  }

  async start(): Promise<void> {
    this.#running = this.#follow();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
  }

  async #follow(): Promise<void> {
    const { signal } = this.#stopping;
    let offset = -1;
    while (!signal.aborted) {
      try {
        if (offset < 0) offset = (await this.#log.bounds(CONTROL_TOPICS.flow, PARTITION, signal)).end;
        const page = await this.#log.read(CONTROL_TOPICS.flow, PARTITION, offset, READ, signal);
        for (const record of page.records) this.#take(record.value);
        offset = page.nextOffset;
      } catch (error) {
        if (signal.aborted) return;
        this.#onFault(error);
        offset = -1;
        await this.#clock.sleep(RETRY_MS, signal).catch(() => undefined);
      }
    }
  }

  #take(value: Buffer | null): void {
    const decoded = decodeFlowReport(value);
    if (!decoded.ok || decoded.value.track !== this.#track) return;
    const { reporter, fill, backlogSeconds } = decoded.value;
    if (!this.#reports.has(reporter) && this.#reports.size >= LIMITS.flowReportersMax) return;
    this.#reports.set(reporter, { fill, seconds: backlogSeconds, atMs: this.#clock.nowMs() });
  }
}
