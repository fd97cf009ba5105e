import type { Log } from '@weir/delivery';
import type { Clock, Component } from '@weir/pipeline';
import { LIMITS } from './limits.ts';

/** Asks Kafka now and then whether the raw log answers: an edge without Kafka is not ready. */
export class KafkaCheck implements Component {
  readonly name = 'kafka check';
  readonly #log: Log;
  readonly #topic: string;
  readonly #clock: Clock;
  readonly #stopping = new AbortController();
  #answeredMs = Number.NEGATIVE_INFINITY;
  #running: Promise<void> | undefined;

  constructor(log: Log, topic: string, clock: Clock) {
    this.#log = log;
    this.#topic = topic;
    this.#clock = clock;
  }

  get answers(): boolean {
    return this.#clock.nowMs() - this.#answeredMs < LIMITS.kafkaSilentMsMax;
  }

  async start(): Promise<void> {
    this.#running = this.#run();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      try {
        await this.#log.bounds(this.#topic, 0, signal);
        this.#answeredMs = this.#clock.nowMs();
      } catch {
        // Readiness says it; the next look may find it back.
      }
      await this.#clock.sleep(LIMITS.kafkaCheckMs, signal).catch(() => undefined);
    }
  }
}
