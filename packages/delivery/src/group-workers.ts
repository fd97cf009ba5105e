import { type Clock, type Component, DependencyError } from '@weir/pipeline';
import { type Membership, REVISIONS } from './log.ts';

/** The work on one partition, from when it is given to this process until it is taken away. */
export interface PartitionWork {
  /**
   * Runs until `session` aborts: then the partition is another's, and nothing may be begun any more. Once `draining`
   * aborts no more is read, what is in hand is finished, and it ends. After a DependencyError it is begun anew.
   */
  run(session: AbortSignal, draining: AbortSignal): Promise<void>;
}

/** A worker whose partition fails is begun anew after this. */
const RESTART_MS = 1_000;

/** What the workers of a group tell. */
export interface GroupEvents {
  /** A worker ended by a failure and is started again while its partition is owned. */
  failed(partition: number, error: unknown): void;
  owned(partitions: readonly number[]): void;
  /** A worker ended by a fault of our own: the process must end. */
  fatal(error: unknown): void;
}

/** The partitions that the group gives to this process, each with a worker of its own. */
export class GroupWorkers<W extends PartitionWork> implements Component {
  readonly name = 'partitions';
  readonly #membership: Membership;
  readonly #clock: Clock;
  readonly #events: GroupEvents;
  readonly #create: (partition: number, former: W | undefined, revision: number) => W;
  readonly #running = new Map<number, { worker: W; done: Promise<void> }>();
  readonly #draining = new AbortController();
  #session = new AbortController();
  #joined = false;
  #revision: number = REVISIONS.first;
  #aliveMs: number;

  /**
   * @param create makes the worker of a partition; `former` is the one that failed, undefined where the partition was just
   * given, and `revision` what all members understand
   */
  constructor(
    membership: Membership,
    clock: Clock,
    events: GroupEvents,
    create: (partition: number, former: W | undefined, revision: number) => W,
  ) {
    this.#membership = membership;
    this.#clock = clock;
    this.#events = events;
    this.#create = create;
    this.#aliveMs = clock.nowMs();
  }

  /** Whether the group has given out partitions, be it none to this process. */
  get joined(): boolean {
    return this.#joined;
  }

  /** Monotonic time of the membership's last sign of life. */
  get aliveMs(): number {
    return this.#aliveMs;
  }

  /** The workers of the partitions that are owned now. */
  get workers(): ReadonlyMap<number, W> {
    return new Map([...this.#running].map(([partition, { worker }]) => [partition, worker]));
  }

  async start(signal: AbortSignal): Promise<void> {
    await this.#membership.join(
      {
        assigned: (partitions, revision) => this.#assign(partitions, revision),
        revoked: () => this.#revoke(),
        alive: () => {
          this.#aliveMs = this.#clock.nowMs();
        },
      },
      signal,
    );
  }

  /** Stores what is buffered, then leaves the group. What the signal cuts short is done again by whoever takes over. */
  async stop(signal: AbortSignal): Promise<void> {
    this.#draining.abort();
    signal.addEventListener('abort', () => this.#session.abort(signal.reason), { once: true });
    await Promise.allSettled([...this.#running.values()].map(({ done }) => done));
    await this.#membership.leave(signal);
  }

  #assign(partitions: readonly number[], revision: number): void {
    this.#revoke();
    this.#revision = revision;
    this.#joined = true;
    this.#session = new AbortController();
    this.#events.owned(partitions);
    for (const partition of partitions) this.#begin(partition, this.#session.signal);
  }

  #revoke(): void {
    this.#joined = false;
    this.#session.abort(new Error('the partition was given away'));
    this.#running.clear();
    this.#events.owned([]);
  }

  #begin(partition: number, session: AbortSignal): void {
    const worker = this.#create(partition, undefined, this.#revision);
    this.#running.set(partition, { worker, done: this.#keepRunning(partition, worker, session) });
  }

  async #keepRunning(partition: number, first: W, session: AbortSignal): Promise<void> {
    let worker = first;
    while (!session.aborted) {
      try {
        await worker.run(session, this.#draining.signal);
        return;
      } catch (error) {
        if (session.aborted) return;
        if (this.#draining.signal.aborted) return this.#events.failed(partition, error);
        // It would be the same again and again.
        if (!(error instanceof DependencyError)) return this.#events.fatal(error);
        this.#events.failed(partition, error);
      }
      await this.#clock.sleep(RESTART_MS, session).catch(() => undefined);
      worker = this.#create(partition, worker, this.#revision);
      const entry = this.#running.get(partition);
      if (entry !== undefined && !session.aborted) entry.worker = worker;
    }
  }
}
