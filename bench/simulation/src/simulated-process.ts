import type { Log } from '@weir/delivery';
import type { Clock } from '@weir/pipeline';
import type { VirtualTime } from '@weir/testkit';

/**
 * A process that can be killed or paused at any call into or out of it. What was under way when it died stays without
 * an end; what was under way when it was paused goes on where it was.
 */
export class SimulatedProcess {
  readonly name: string;
  readonly clock: Clock;
  readonly #time: VirtualTime;
  #dead = false;
  #pausedUntilMs = 0;

  constructor(name: string, time: VirtualTime) {
    this.name = name;
    this.#time = time;
    this.clock = {
      nowMs: () => time.nowMs(),
      wallNs: () => time.wallNs(),
      sleep: (ms, signal) => this.through(() => time.sleep(ms, signal)),
    };
  }

  get dead(): boolean {
    return this.#dead;
  }

  get paused(): boolean {
    return this.#time.nowMs() < this.#pausedUntilMs;
  }

  kill(): void {
    this.#dead = true;
  }

  pause(ms: number): void {
    this.#pausedUntilMs = this.#time.nowMs() + ms;
  }

  resume(): void {
    this.#pausedUntilMs = 0;
  }

  /** Makes a call as this process: it neither begins nor ends while the process cannot run. */
  async through<T>(call: () => Promise<T>): Promise<T> {
    await this.runs();
    try {
      return await call();
    } finally {
      await this.runs();
    }
  }

  /** Resolves when the process can run; never once it is dead. */
  async runs(): Promise<void> {
    for (;;) {
      if (this.#dead) await new Promise(() => undefined);
      if (!this.paused) return;
      await this.#time.sleep(POLL_MS);
    }
  }

  /** The log as this process reaches it. */
  log(log: Log): Log {
    return {
      read: (...args) => this.through(() => log.read(...args)),
      bounds: (...args) => this.through(() => log.bounds(...args)),
      append: (...args) => this.through(() => log.append(...args)),
    };
  }
}

const POLL_MS = 10;
