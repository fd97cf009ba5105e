import type { Log } from '@weir/delivery';
import { Books, bookedAs, EdgeQueue, Publisher } from '@weir/edge';
import { Budget, type Clock, DependencyError } from '@weir/pipeline';
import { decodeNote, encodeNote, isNote, type RawMeta } from '@weir/records';
import { effectiveTenant } from '@weir/tenancy';
import type { VirtualTime } from '@weir/testkit';
import type { Rule } from './rules.ts';
import { tenantOf } from './simulated-books.ts';
import type { SimulatedProcess } from './simulated-process.ts';

/** What an edge is made of. */
export interface EdgeParts {
  readonly log: Log;
  readonly process: SimulatedProcess;
  readonly time: VirtualTime;
  readonly topic: string;
  readonly partitions: number;
  /** Random id, 16 hex digits. */
  readonly owner: string;
  readonly without: Rule | undefined;
  /** How often Kafka refuses an append, from 0 to 1. */
  readonly refusedShare: () => number;
}

const DEADLINE_MS = 300;
/** The books are told so much more often than in a real edge, which a run is too short for. */
const BOOKS_HASTE = 10;
/** Shorter than in a real edge for the same reason: so that sinks cut several partitions together. */
const TURN_MS = 20;
const QUEUE = { bytesMax: 1_000_000, itemsMax: 1_000_000 };
const TENANT = effectiveTenant('simulated', { keys: [] }, undefined);

/** An edge behind its receivers: the real publisher with its lanes, and the real books, put together as the edge does. */
export class SimulatedEdge {
  readonly process: SimulatedProcess;
  /** What was sent to it, and whether the client was told that it was taken; undefined where it was told nothing. */
  readonly answers = new Map<string, boolean | undefined>();
  /** Tenants of usage whose note was acknowledged. */
  readonly noted = new Set<string>();
  /** Items that it says it could not tell the books. */
  lostItems = 0;
  /** Partitions whose log it says has lost its end. */
  lostEnds = 0;
  #answering = 0;
  readonly #parts: EdgeParts;
  readonly #books: Books;
  readonly #publisher: Publisher;

  constructor(parts: EdgeParts) {
    const { process, topic, owner, partitions } = parts;
    this.#parts = parts;
    this.process = process;
    const onLost = (items: number) => {
      this.lostItems += items;
    };
    this.#books = new Books({
      clock: hastened(process.clock),
      write: async (usage) => {
        const written = await this.#publisher.note(usage);
        if (written) for (const { tenant } of usage) this.noted.add(tenant);
        return written;
      },
      onLost,
    });
    this.#publisher = new Publisher({
      log: process.log(this.#log()),
      clock: process.clock,
      topic,
      queue: new EdgeQueue(new Budget(QUEUE)),
      batches: true,
      turnMs: TURN_MS,
      edge: owner,
      deadlineMs: DEADLINE_MS,
      partitions: async () => partitions,
      onProduced: () => undefined,
      onLost,
      onLostEnd: () => {
        this.lostEnds++;
      },
      books: this.#books,
    });
  }

  async start(): Promise<void> {
    await this.#publisher.start();
    await this.#books.start();
  }

  /** One export; `refused` says that it is not let in, as over a limit. */
  async send(ids: readonly string[], refused: boolean): Promise<void> {
    for (const id of ids) this.answers.set(id, undefined);
    this.#answering++;
    await this.process.runs();
    const answer = await this.#answer(ids, refused);
    for (const id of ids) this.answers.set(id, answer);
    this.#answering--;
  }

  async #answer(ids: readonly string[], refused: boolean): Promise<boolean> {
    const receivedAtNs = this.#parts.time.wallNs();
    const signal = 'traces';
    const [tenant, items, bytes] = [tenantOf(ids), ids.length, 1];
    if (refused) {
      this.#books.refused(bookedAs(tenant, signal, { items, bytes }, receivedAtNs), 'tenant_items_rate');
      return false;
    }
    const meta: Omit<RawMeta, 'edge' | 'seq'> = {
      ...{ tenant, signal, items, bytes, receivedAtNs },
      encoding: 'identity',
      priority: false,
    };
    const value = Buffer.from(ids.join(','));
    const answer = await this.#publisher.consume({
      tenant: TENANT,
      meta,
      value,
      plain: value,
      heldBytes: 0,
      rejectedItems: 0,
    });
    return answer.kind === 'accepted';
  }

  /** As on SIGTERM: what is in flight is answered, then the books are told, then the lanes drain; then the process is gone. */
  async stop(): Promise<void> {
    const { clock } = this.process;
    while (this.#answering > 0) await clock.sleep(1);
    const never = new AbortController().signal;
    await this.#books.stop(never);
    await this.#publisher.stop(never);
    this.process.kill();
  }

  /** A log that refuses appends now and then. */
  #log(): Log {
    const { log, time, without, refusedShare } = this.#parts;
    return {
      read: (...args) => log.read(...args),
      bounds: (...args) => log.bounds(...args),
      append: async (topic, partition, records, signal) => {
        if (time.random() < refusedShare()) {
          await time.sleep(1);
          throw new DependencyError('kafka', 'rejected', 'refused', { retryable: false });
        }
        const sent = without === 'settle' ? records.map(undoubting) : records;
        return log.append(topic, partition, sent, signal);
      },
    };
  }
}

function hastened(clock: Clock): Clock {
  return { ...clock, sleep: (ms, signal) => clock.sleep(ms / BOOKS_HASTE, signal) };
}

/** A note that does not say what is in doubt. */
function undoubting<T extends { readonly meta: Buffer | null; readonly value: Buffer | null }>(record: T): T {
  if (!isNote(record.meta)) return record;
  const note = decodeNote(record.meta, record.value);
  return note.ok ? { ...record, ...encodeNote({ ...note.value, doubtful: [] }) } : record;
}
