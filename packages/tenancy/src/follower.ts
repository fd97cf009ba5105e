import type { Log } from '@weir/delivery';
import { type Clock, type Component, DependencyError } from '@weir/pipeline';
import { CONTROL_TOPICS } from '@weir/records';
import type { TenantDirectory } from './directory.ts';
import { DirectoryCopy } from './directory-copy.ts';
import { ReadPlace } from './read-place.ts';

/** Who removes tenants leaves a record of each for a day: a topic without any was made anew, and is to be filled. */
function emptied(): DependencyError {
  const why = 'kafka: weir.tenants holds no record at all: the tenants known so far stay (ingestctl tenants apply)';
  return new DependencyError('kafka', 'rejected', why, { retryable: true });
}

/** What a follower tells; one line each. */
export interface FollowerEvents {
  /** A record that cannot be read was passed over. */
  unreadable(key: string): void;
  /** Kafka did not answer; the tenants known so far stay. */
  failed(error: unknown): void;
  /** The last-known copy could not be written: it is as it was, and is tried again. Told once, until it is written. */
  unsaved(error: unknown): void;
}

const READ_BYTES_MAX = 1024 ** 2;
const RETRY_DELAY_MS = 500;
const PARTITION = 0;

export interface FollowerOptions {
  /** Where the last-known copy is kept. */
  readonly stateDir: string;
  readonly clock: Clock;
  readonly events: FollowerEvents;
  /** Whether `start` waits for tenants (default): an edge answers 503 until there are some, a normalizer has nothing to do. */
  readonly waits?: boolean;
}

/**
 * Keeps a directory equal to weir.tenants: the last-known copy on disk first, then the topic from its start, then every
 * change as it comes. `start` resolves once there is a copy or the topic has been read, or at once with `waits: false`.
 */
export function followTenants(log: Log, directory: TenantDirectory, options: FollowerOptions): Component {
  const stopping = new AbortController();
  const copy = new DirectoryCopy(options.stateDir, options.clock, options.events.unsaved);
  const { records } = copy;
  let running: Promise<void> | undefined;

  const take = (key: string, value: Buffer | null): void => {
    if (directory.apply(key, value) === 'unreadable') {
      options.events.unreadable(key);
      return;
    }
    if (value === null) records.delete(key);
    else records.set(key, value);
    if (directory.complete) copy.saveLater();
  };

  // A tenant known so far that the topic no longer has was removed meanwhile.
  const takeAll = (replay: ReadonlyMap<string, Buffer | null>): void => {
    for (const key of records.keys()) if (!replay.has(key)) take(key, null);
    for (const [key, value] of replay) take(key, value);
    directory.markComplete();
    directory.markReachable(true);
    copy.saveLater();
  };

  const follow = async (caughtUp: () => void): Promise<void> => {
    // What the topic says is taken as a whole once it has been read from its start: taken record by record, it would bring
    // back keys that were revoked since, until their newest record is reached, and keep tenants that it no longer has.
    let replay: Map<string, Buffer | null> | undefined;
    let place: ReadPlace | undefined;
    let end = 0;
    while (!stopping.signal.aborted) {
      try {
        if (place === undefined) {
          const bounds = await log.bounds(CONTROL_TOPICS.tenants, PARTITION, stopping.signal);
          place = new ReadPlace(bounds.start);
          end = bounds.end;
          replay = new Map();
        }
        if (replay !== undefined && place.offset >= end) {
          if (replay.size === 0 && directory.size > 0) throw emptied();
          takeAll(replay);
          replay = undefined;
          caughtUp();
        }
        const wait = { maxBytes: READ_BYTES_MAX, maxWaitMs: place.waitMs };
        const page = await log.read(CONTROL_TOPICS.tenants, PARTITION, place.offset, wait, stopping.signal);
        for (const record of page.records) {
          const key = record.key?.toString('utf8') ?? '';
          if (replay === undefined) take(key, record.value);
          else replay.set(key, record.value);
        }
        // Until the replay is through, a key that is not known may be in what has been read of it.
        if (replay === undefined) directory.markReachable(true);
        place.move(page);
      } catch (error) {
        if (stopping.signal.aborted) return;
        directory.markReachable(false);
        options.events.failed(error);
        // From the start again only where the offset is gone: else it would cost a read of the whole topic.
        if (error instanceof DependencyError && error.code === 'rejected') place = undefined;
        await options.clock.sleep(RETRY_DELAY_MS, stopping.signal).catch(() => undefined);
      }
    }
  };

  return {
    name: 'tenants',
    start: async (signal) => {
      await copy.load();
      for (const [key, value] of records) directory.apply(key, value);
      const caughtUp = Promise.withResolvers<void>();
      running = follow(caughtUp.resolve);
      if (directory.size > 0 || options.waits === false) return;
      signal.throwIfAborted();
      signal.addEventListener('abort', () => caughtUp.reject(signal.reason), { once: true });
      await caughtUp.promise;
    },
    stop: async () => {
      stopping.abort();
      await running;
      await copy.stop();
    },
  };
}
