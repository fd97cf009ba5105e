import type { Log } from '@weir/delivery';
import type { Clock, Component } from '@weir/pipeline';
import type { TenantDirectory } from '@weir/tenancy';
import { LIMITS } from './limits.ts';
import type { Publisher } from './publish/publisher.ts';

/** Why no more should be given to this edge. */
export function readiness(
  { answers }: Pick<KafkaCheck, 'answers'>,
  { partitions, lostEnds }: Pick<Publisher, 'partitions' | 'lostEnds'>,
  directory: Pick<TenantDirectory, 'complete' | 'size'>,
): string[] {
  const reasons: string[] = [];
  if (!answers) reasons.push('Kafka does not answer');
  if (lostEnds > 0 && lostEnds === partitions) reasons.push('Kafka has lost the end of every raw log');
  if (!directory.complete && directory.size === 0) reasons.push('the tenants are not known');
  return reasons;
}

/**
 * Asks Kafka now and then whether the raw log answers: an edge without Kafka is not ready. One partition is enough, since
 * exports go to those that answer: a leader that is missing must not take every edge away.
 */
export class KafkaCheck implements Component {
  readonly name = 'kafka check';
  readonly #log: Log;
  readonly #topic: string;
  readonly #clock: Clock;
  readonly #partitions: () => number;
  readonly #stopping = new AbortController();
  /** The one that answered last. */
  #partition = 0;
  #answeredMs = Number.NEGATIVE_INFINITY;
  #running: Promise<void> | undefined;

  /** @param partitions how many there are, as far as is known */
  constructor(log: Log, topic: string, clock: Clock, partitions: () => number) {
    this.#partitions = partitions;
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
      await this.#look(signal);
      await this.#clock.sleep(LIMITS.kafkaCheckMs, signal).catch(() => undefined);
    }
  }

  /** Asks one after another until one answers. Where none does readiness says it, and the next look may find one back. */
  async #look(signal: AbortSignal): Promise<void> {
    const count = Math.max(1, this.#partitions());
    for (let tried = 0; tried < count && !signal.aborted; tried++) {
      try {
        await this.#log.bounds(this.#topic, this.#partition % count, signal);
        this.#answeredMs = this.#clock.nowMs();
        return;
      } catch {
        this.#partition++;
      }
    }
  }
}
